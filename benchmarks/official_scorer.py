"""LUMIR24's scorer, written from its description in docs/scoring.md.

One metric after the other, label by label, each on whole volumes in double precision.
"""

import itertools
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import surface_distance
from scipy.ndimage import correlate, map_coordinates

from benchmarks.crowded_case import FIELD, FIXED, LABELS, MOVING


@contextmanager
def timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds of the processor that are spent inside to an entry."""
    start = time.process_time()
    yield
    timings[name] = timings.get(name, 0.0) + time.process_time() - start


def official(folder: Path) -> dict[str, object]:
    """The organisers' procedure."""
    seconds: dict[str, float] = {}

    def load(kind: str, name: str) -> np.ndarray:
        return nib.load(folder / kind / name).get_fdata()

    with timed(seconds, "warp of labels and landmarks"):
        vectors = nib.load(folder / FIELD).get_fdata()
        fixed, moving = load("labelsVal", FIXED), load("labelsVal", MOVING)
        warped = warp(moving, vectors)
        fixed_spots = load("landmarksVal", FIXED)
        warped_spots = warp(load("landmarksVal", MOVING), vectors)
    values: dict[str, object] = {}
    with timed(seconds, "Non-diffeomorphic Volumes"):
        values["Non-diffeomorphic Volumes"] = ndv(vectors, load("imagesVal", MOVING))
    with timed(seconds, "DSC"):
        values["DSC"] = per_label(fixed, moving, warped, dice)
    with timed(seconds, "HD95"):
        values["HD95"] = per_label(fixed, moving, warped, hd95)
    with timed(seconds, "TRE_lm"):
        values["TRE_lm"] = tre(fixed_spots, warped_spots)
    return {"seconds": seconds, "values": values}


def warp(moving: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Warp the whole volume at once, in double precision."""
    index = np.meshgrid(*(np.arange(size) for size in moving.shape), indexing="ij")
    return map_coordinates(moving, index + np.moveaxis(vectors, -1, 0), order=0)


def per_label(
    fixed: np.ndarray,
    moving: np.ndarray,
    warped: np.ndarray,
    compare: Callable[[np.ndarray, np.ndarray], float],
) -> list[float]:
    """Compare the masks of every label that both maps have."""
    return [
        compare(fixed == label, warped == label)
        if (fixed == label).sum() and (moving == label).sum()
        else float("nan")
        for label in LABELS
    ]


def dice(fixed: np.ndarray, warped: np.ndarray) -> float:
    """The package's coefficient."""
    return float(surface_distance.compute_dice_coefficient(fixed, warped))


def hd95(fixed: np.ndarray, warped: np.ndarray) -> float:
    """The package's distance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it asks scipy for old names
        distances = surface_distance.compute_surface_distances(fixed, warped, np.ones(3))
    return float(surface_distance.compute_robust_hausdorff(distances, 95.0))


def tre(fixed: np.ndarray, warped: np.ndarray) -> float:
    """Mean distance of centroids, each a weighted mean over the whole volume."""
    index = np.meshgrid(*(np.linspace(0, size - 1, size) for size in fixed.shape), indexing="ij")

    def centroid(blob: np.ndarray) -> np.ndarray:
        weights = blob.astype(np.float32)
        return np.array([(weights * axis).sum() / weights.sum() for axis in index])

    labels = np.unique(fixed)[1:]
    steps = [centroid(warped == label) - centroid(fixed == label) for label in labels]
    return float(np.mean(np.linalg.norm(steps, axis=1)))


def ndv(vectors: np.ndarray, image: np.ndarray) -> float:
    """Nine schemes of first differences and two of diagonal ones, all kept, as the package does."""
    index = np.meshgrid(*(np.arange(size) for size in image.shape), indexing="ij")
    places = np.moveaxis(vectors, -1, 0) + np.array(index, np.float32)
    one_sided = {"+": [0, -1, 1], "-": [-1, 1, 0]}
    schemes = [[along([-0.5, 0, 0.5], axis) for axis in range(3)]]
    schemes += [
        [along(one_sided[sign], axis) for axis, sign in enumerate(signs)]
        for signs in itertools.product("+-", repeat=3)
    ]
    schemes += [[diagonal(axes, 1) for axes in ((0, 1), (1, 2), (0, 2))]]
    schemes += [[diagonal(axes, -1) for axes in ((0, 1), (0, 2), (1, 2))]]
    determinants = [determinant(places, kernels) for kernels in schemes]
    inside = image[1:-1, 1:-1, 1:-1] > 0
    volume = 0.0
    for found in determinants[1:]:
        volume += float(np.sum(-0.5 * np.minimum(found, 0) * inside / 6))
    return 100 * volume / float(inside.sum())


def along(weights: list[float], axis: int) -> np.ndarray:
    """A kernel of differences along an axis."""
    return np.array(weights).reshape([3 if other == axis else 1 for other in range(3)])


def diagonal(axes: tuple[int, int], sign: int) -> np.ndarray:
    """A kernel of the difference to a neighbour across an edge."""
    kernel = np.zeros((3, 3, 3))
    kernel[1, 1, 1] = -1
    kernel[tuple(1 + sign * (axis in axes) for axis in range(3))] = 1
    return kernel[tuple(slice(None) if axis in axes else slice(1, 2) for axis in range(3))]


def determinant(places: np.ndarray, kernels: list[np.ndarray]) -> np.ndarray:
    """By nine correlations over the whole volume."""
    rows = [
        np.stack([correlate(component, kernel, mode="nearest") for component in places])
        for kernel in kernels
    ]
    j = np.stack(rows)
    found = (
        j[0, 0] * (j[1, 1] * j[2, 2] - j[1, 2] * j[2, 1])
        - j[1, 0] * (j[0, 1] * j[2, 2] - j[0, 2] * j[2, 1])
        + j[2, 0] * (j[0, 1] * j[1, 2] - j[0, 2] * j[1, 1])
    )
    return found[1:-1, 1:-1, 1:-1]
