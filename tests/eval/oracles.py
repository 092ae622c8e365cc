"""Second implementations, slow and close to the published descriptions."""

import warnings
from collections.abc import Mapping

import numpy as np
from scipy.ndimage import map_coordinates
from surface_distance import (
    compute_dice_coefficient,
    compute_robust_hausdorff,
    compute_surface_distances,
)

ONE_SIDED = [(a, b, c) for a in (1, -1) for b in (1, -1) for c in (1, -1)]
DIAGONAL = [
    ((-1, -1, 0), (-1, 0, -1), (0, -1, -1)),
    ((1, 1, 0), (0, 1, 1), (1, 0, 1)),
]


def warp(moving: np.ndarray, vectors: np.ndarray, order: int) -> np.ndarray:
    """The scorers' warp, in double precision."""
    index = np.meshgrid(*(np.arange(size) for size in vectors.shape[:3]), indexing="ij")
    places = np.array(index) + np.moveaxis(vectors.astype(np.float64), -1, 0)
    return map_coordinates(moving.astype(np.float64), places, order=order, mode="constant", cval=0)


def hd95(fixed: np.ndarray, warped: np.ndarray) -> float:
    """The package's distance; with an empty mask it means infinity, but stumbles over numpy 2."""
    if not (fixed.any() and warped.any()):
        return float("inf")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it asks scipy for old names
        distances = compute_surface_distances(fixed, warped, np.ones(3))
    return float(compute_robust_hausdorff(distances, 95.0))


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


def folded_volume(vectors: np.ndarray, inside: np.ndarray) -> float:
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
    return 100 * folded_volume(vectors, inside) / int(inside[1:-1, 1:-1, 1:-1].sum())


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
