"""Second implementations, slow and close to the published descriptions."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import correlate, map_coordinates
from surface_distance import (
    compute_average_surface_distance,
    compute_dice_coefficient,
    compute_robust_hausdorff,
    compute_surface_distances,
)

ONE_SIDED = [(a, b, c) for a in (1, -1) for b in (1, -1) for c in (1, -1)]
DIAGONAL = [
    ((-1, -1, 0), (-1, 0, -1), (0, -1, -1)),
    ((1, 1, 0), (0, 1, 1), (1, 0, 1)),
]


def load(path: Path) -> np.ndarray:
    """A volume in double precision, as every scorer reads it."""
    return nib.load(path).get_fdata()


def warp(moving: np.ndarray, vectors: np.ndarray, order: int) -> np.ndarray:
    """The scorers' warp, in double precision."""
    index = np.meshgrid(*(np.arange(size) for size in vectors.shape[:3]), indexing="ij")
    places = np.array(index) + np.moveaxis(vectors.astype(np.float64), -1, 0)
    return map_coordinates(moving.astype(np.float64), places, order=order, mode="constant", cval=0)


def hd95(fixed: np.ndarray, warped: np.ndarray, spacing=(1, 1, 1), percent: float = 95.0) -> float:
    """The package's distance; with an empty mask it means infinity, but stumbles over numpy 2."""
    if not (fixed.any() and warped.any()):
        return float("inf")
    return float(compute_robust_hausdorff(surface_distances(fixed, warped, spacing), percent))


def assd(fixed: np.ndarray, warped: np.ndarray, spacing=(1, 1, 1)) -> float:
    """The mean of the package's two directed distances, for masks that are not empty."""
    distances = surface_distances(fixed, warped, spacing)
    return float(np.mean(compute_average_surface_distance(distances)))


def surface_distances(fixed: np.ndarray, warped: np.ndarray, spacing) -> dict[str, np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it asks scipy for old names
        return compute_surface_distances(fixed, warped, spacing)


def dice(fixed: np.ndarray, warped: np.ndarray) -> float:
    """The package's coefficient of two masks that are not both empty."""
    return float(compute_dice_coefficient(fixed, warped))


def per_label(fixed, moving, warped, labels, compare) -> list[float]:
    """Compare every label's masks, but for those that a map does not have."""
    return [
        compare(fixed == label, warped == label)
        if (fixed == label).any() and (moving == label).any()
        else float("nan")
        for label in labels
    ]


def tre(fixed: np.ndarray, warped: np.ndarray) -> float:
    """Mean distance of centroids over the labels of the fixed map; no voxel, no centroid."""

    def centroid(mask: np.ndarray) -> np.ndarray:
        return np.argwhere(mask).mean(axis=0) if mask.any() else np.full(3, np.nan)

    labels = [label for label in np.unique(fixed) if label != 0]
    return float(
        np.mean([np.linalg.norm(centroid(warped == n) - centroid(fixed == n)) for n in labels])
    )


def non_diffeomorphic_volume(vectors: np.ndarray, inside: np.ndarray) -> float:
    """Ten determinants per interior voxel, each by the linear algebra library."""
    index = np.moveaxis(np.indices(vectors.shape[:3]), 0, -1)
    places = index + vectors.astype(np.float64)

    def at(*offset: int) -> np.ndarray:
        slices = (slice(1 + o, size - 1 + o) for o, size in zip(offset, places.shape, strict=False))
        return places[tuple(slices)]

    here, total = at(0, 0, 0), 0.0
    for signs in ONE_SIDED:
        offsets = np.diag(signs)
        rows = [s * (at(*o) - here) for s, o in zip(signs, offsets, strict=True)]
        total += folds(rows, inside)
    for offsets in DIAGONAL:
        total += folds([at(*offset) - here for offset in offsets], inside)
    return total / 12


def folds(rows: list[np.ndarray], inside: np.ndarray) -> float:
    determinants = np.linalg.det(np.stack(rows, axis=-2))
    return float(np.maximum(-determinants, 0)[inside[1:-1, 1:-1, 1:-1]].sum())


def ndv(vectors: np.ndarray, image: np.ndarray) -> float:
    """In percent of the positive interior voxels."""
    inside = image > 0
    return 100 * non_diffeomorphic_volume(vectors, inside) / int(inside[1:-1, 1:-1, 1:-1].sum())


def jacobian(vectors: np.ndarray) -> np.ndarray:
    """Nine correlations over the whole grid, two voxels cropped at each border."""
    rows = []
    for axis in range(3):
        kernel = np.reshape([-0.5, 0, 0.5], [3 if other == axis else 1 for other in range(3)])
        parts = [correlate(part, kernel, mode="constant") for part in np.moveaxis(vectors, -1, 0)]
        rows.append(np.stack(parts, axis=-1))
    return np.linalg.det(np.stack(rows, axis=-2) + np.eye(3))[2:-2, 2:-2, 2:-2]


def sdlogj(vectors: np.ndarray, mask: np.ndarray | None = None) -> float:
    """As classic Learn2Reg has it, with 3 added; a voxel counts where the mask is 1."""
    logarithms = np.log((jacobian(vectors.astype(np.float64)) + 3).clip(1e-9, 1e9))
    if mask is not None:
        logarithms = np.ma.MaskedArray(logarithms, 1 - mask[2:-2, 2:-2, 2:-2])
    return float(logarithms.std())


def key_point_errors(fixed, moving, vectors: np.ndarray, spacing) -> np.ndarray:
    """The field at the fixed points by scipy's default, which is cubic."""
    steps = [map_coordinates(vectors[..., c].astype(np.float64), fixed.T) for c in range(3)]
    return np.linalg.norm((fixed + np.transpose(steps) - moving) * spacing, axis=1)


def aggregates(cases: Mapping[str, Mapping[str, Mapping[str, object]]]) -> dict[str, object]:
    """Plain statistics over the cases that have a metric."""
    over = {}
    for name in sorted({name for case in cases.values() for name in case}):
        means = np.array([case[name]["mean"] for case in cases.values() if name in case])
        over[name] = {
            "mean": means.mean(),
            "std": means.std(),
            "30": np.quantile(means, 0.3),
        }
    return over
