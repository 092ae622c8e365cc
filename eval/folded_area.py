"""Area that a transform of one slice turns inside out."""

from itertools import product

import numpy as np
from jaxtyping import Bool, Float

from eval.jacobian import FloatType
from l2r.arrays import plane_axes


def folded_area(
    vectors: Float[np.ndarray, "x y z 3"],
    inside: Bool[np.ndarray, "x y z"],
    precision: FloatType = np.float64,
) -> float:
    """`sum of max(-J, 0) / 4` over the four triangles of each pixel and two of its neighbours.

    The triangles are spanned by one step forward or backward along each axis, `J` is the
    determinant of the two differences of `T(p) = p + u(p)`. It is twice a triangle's area, and two
    ways to cut the squares between pixels are averaged.

    Args:
        vectors: displacements in voxels, of one slice.
        inside: where to look; the outermost pixels never count, they lack neighbours.
        precision: of the determinants.

    Returns:
        Pixels, lower is better, 0 without folds.

    Source:
        Liu et al. (2024), as for `eval.metrics.ndv.non_diffeomorphic_volume`, in two dimensions.
    """
    axes = plane_axes(inside.shape)
    if len(axes) < 2:  # a line of pixels has no area
        return 0.0
    counted = inside.squeeze()[1:-1, 1:-1]
    pixels = inside.squeeze().shape
    moved = vectors[..., axes].reshape(*pixels, 2).astype(np.float64)
    places = (np.moveaxis(np.indices(pixels), 0, -1) + moved).astype(precision)
    rows, columns = np.diff(places, axis=0)[:, 1:-1], np.diff(places, axis=1)[1:-1]
    folded = 0.0
    for a, b in product((rows[1:], rows[:-1]), (columns[:, 1:], columns[:, :-1])):
        determinants = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
        folded -= float(np.minimum(determinants, 0)[counted].sum(dtype=np.float64))
    return folded / 4
