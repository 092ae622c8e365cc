"""A case as large as LUMIR's: two brains of `sample/`, split into its 133 structures."""

from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from l2r.task import load_task

SAMPLE = Path(__file__).parents[1] / "sample"
FIXED, MOVING, FIELD = "A_0001_0000.nii", "A_0002_0000.nii", "field.nii"
LABELS: tuple[int, ...] = tuple(load_task("lumir24").evaluation["labels"])  # type: ignore[arg-type]


def make_case(folder: Path) -> None:
    """Two label maps of 133 structures, landmarks, images, and a field with a few folds."""
    rng = np.random.default_rng(24)
    names = sorted(path.name for path in (SAMPLE / "labelsVal").iterdir())[:2]
    maps = [np.asarray(nib.load(SAMPLE / "labelsVal" / name).dataobj) for name in names]
    seeds = cells(maps[0], len(LABELS) - 1, rng)
    spots = rng.choice(np.argwhere(maps[0] > 0), 30)
    for name, source, labels in zip((FIXED, MOVING), names, maps, strict=True):
        save(folder / "labelsVal" / name, split(labels, seeds))
        moved = spots if name == FIXED else spots + rng.integers(-3, 4, spots.shape)
        save(folder / "landmarksVal" / name, blobs(labels.shape, moved))
        save(
            folder / "imagesVal" / name, np.asarray(nib.load(SAMPLE / "imagesVal" / source).dataobj)
        )
    save(folder / FIELD, field(maps[0].shape, rng))


def cells(labels: np.ndarray, count: int, rng: np.random.Generator) -> dict[int, np.ndarray]:
    """Seeds of Voronoi cells, `count` in all, more of them in larger structures."""
    ids, sizes = np.unique(labels[labels > 0], return_counts=True)
    shares = np.ones(len(ids), int)
    while shares.sum() < count:
        shares[np.argmax(sizes / shares)] += 1
    return {
        int(label): rng.choice(np.argwhere(labels == label), share, replace=False)
        for label, share in zip(ids, shares, strict=True)
    }


def split(labels: np.ndarray, seeds: dict[int, np.ndarray]) -> np.ndarray:
    """Each structure cut into the cells of its seeds, with LUMIR's ids, as LUMIR stores them."""
    result = np.zeros(labels.shape, np.uint8, order="F")
    first = 1
    for label, centres in seeds.items():
        inside = labels == label
        _, nearest = cKDTree(centres).query(np.argwhere(inside))
        result[inside] = np.array(LABELS)[first + nearest]
        first += len(centres)
    return result


def blobs(shape: tuple[int, ...], spots: np.ndarray) -> np.ndarray:
    """A ball of radius 3 for each landmark."""
    result = np.zeros(shape, np.uint8, order="F")
    ball = np.argwhere(np.ones((7, 7, 7))) - 3
    ball = ball[(ball**2).sum(axis=1) <= 9]
    for number, spot in enumerate(spots, start=1):
        result[tuple((spot + ball).clip(0, np.array(shape) - 1).T)] = number
    return result


def field(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Large smooth displacements with small ones on top: some voxels fold, as with a network."""
    parts = []
    for _ in range(3):
        total = np.zeros(shape)
        for sigma, voxels in ((16, 2.5), (5, 1.0)):
            noise = gaussian_filter(rng.standard_normal(shape), sigma)
            total += voxels / noise.std() * noise
        parts.append(total)
    return np.asfortranarray(np.stack(parts, axis=-1), np.float32)


def save(path: Path, array: np.ndarray) -> None:
    """Write a volume without compression."""
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)
