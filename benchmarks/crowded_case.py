"""A case as large as LUMIR's: a brain of `sample/`, split into 133 structures."""

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from eval.warp import warp_nearest
from l2r.task import load_task

SAMPLE = Path(__file__).parents[1] / "sample"
FIXED, MOVING, FIELD = "A_0001_0000.nii", "A_0002_0000.nii", "field.nii"
LABELS: tuple[int, ...] = tuple(load_task("lumir24").evaluation["labels"])  # type: ignore[arg-type]


def make_case(folder: Path) -> None:
    """A registered pair: label maps of 133 structures, landmarks, images, and a field.

    The moving brain is the fixed one, deformed; the field undoes that but for a rest, whose size is
    chosen for scores like those of LUMIR's leaderboard. Both fold in some places.
    """
    rng = np.random.default_rng(24)
    name = min(path.name for path in (SAMPLE / "labelsVal").iterdir())
    image = np.asarray(nib.load(SAMPLE / "imagesVal" / name).dataobj)
    labels = np.asarray(nib.load(SAMPLE / "labelsVal" / name).dataobj)
    crowded = split(labels, cells(labels, len(LABELS) - 1, rng))
    spots = blobs(labels.shape, rng.choice(np.argwhere(labels > 0), 30))
    deformation = smooth(labels.shape, rng, ((16, 2.5), (4, 0.8)))
    rest = smooth(labels.shape, rng, ((4, 1.1),))
    for kind, fixed in (("labelsVal", crowded), ("landmarksVal", spots), ("imagesVal", image)):
        save(folder / kind / FIXED, fixed)
        save(folder / kind / MOVING, warp_nearest(np.asfortranarray(fixed), deformation))
    save(folder / FIELD, rest - deformation)


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


def smooth(
    shape: tuple[int, ...], rng: np.random.Generator, parts: tuple[tuple[float, float], ...]
) -> np.ndarray:
    """Displacements, the sum of parts with a width and a standard deviation, both in voxels."""
    result = np.zeros((*shape, 3), np.float32, order="F")
    for axis, (sigma, voxels) in itertools.product(range(3), parts):
        noise = gaussian_filter(rng.standard_normal(shape, np.float32), sigma)
        result[..., axis] += voxels / noise.std() * noise
    return result


def save(path: Path, array: np.ndarray) -> None:
    """Write a volume without compression."""
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)
