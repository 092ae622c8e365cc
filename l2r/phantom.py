"""A made-up challenge on the disk, in LUMIR's layout, for tests, demonstrations and benchmarks.

There is one template, a function of place, and each subject is the template seen through its own
smooth deformation: voxel `p` of a subject shows the template at `p + t(p)`, with `t` from
`to_template`. So the right field between any two subjects is known: `true_field`.
"""

import json
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from scipy.ndimage import gaussian_filter, map_coordinates, zoom

from l2r.arrays import Shape, Vectors
from l2r.disk import make_folder, writing
from l2r.formats.volumes import write_volume

Points = Float[np.ndarray, "x y z 3"]
Map = UInt8[np.ndarray, "x y z"]


@dataclass(frozen=True)
class Ellipsoid:
    """One structure of the template, in units of half the grid around its centre."""

    label: int
    brightness: int
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]

    def holds(self, points: Points) -> Shaped[np.ndarray, "x y z"]:
        """Tell which points lie inside."""
        offsets = (points - np.array(self.centre)) / np.array(self.radii)
        return (offsets * offsets).sum(axis=-1) < 1


BRAIN = (
    Ellipsoid(3, 75, (0.0, 0.0, 0.0), (0.8, 0.84, 0.78)),
    Ellipsoid(2, 120, (0.0, 0.02, 0.03), (0.6, 0.66, 0.56)),
    Ellipsoid(4, 25, (-0.2, 0.1, 0.18), (0.14, 0.42, 0.2)),
    Ellipsoid(43, 25, (0.2, 0.1, 0.18), (0.14, 0.42, 0.2)),
    Ellipsoid(10, 95, (-0.26, -0.12, -0.18), (0.2, 0.26, 0.2)),
    Ellipsoid(49, 95, (0.26, -0.12, -0.18), (0.2, 0.26, 0.2)),
    Ellipsoid(16, 105, (0.0, -0.25, -0.62), (0.2, 0.22, 0.3)),
)
"""Painted in this order. The numbers are FreeSurfer's: cortex, white matter, the two ventricles,
the two thalami, the brain stem; the brightnesses are those of a T1-weighted scan."""

LANDMARKS = tuple(
    Ellipsoid(number, 0, centre, (0.14, 0.12, 0.13))
    for number, centre in enumerate(product((-0.45, 0.45), (-0.5, 0.5), (-0.4, 0.4)), start=1)
)
"""One in every octant, so large that none can vanish."""

LARGEST_SHIFT = 0.12
"""Of any subject from the template along an axis, as a part of that axis."""

TASK = """\
name = "phantom"
title = "Made-up brains in the layout of LUMIR"

[data]
shape = {shape}

[field]
names = "lumir"
channels_first = true

[preprocess]
normalise = {{ kind = "divide", by = 255, bright = 130 }}

[evaluation]
name = "PHANTOM"
metrics = [
    {{ metric = "ndv", name = "Non-diffeomorphic Volumes", mask = "moving" }},
    {{ metric = "dice", name = "DSC" }},
    {{ metric = "hd95", name = "HD95" }},
    {{ metric = "tre", name = "TRE_lm", folder = "landmarks" }},
]
labels = {labels}
"""


def write_phantom(
    folder: Path, *, shape: Shape = (32, 40, 36), subjects: int = 3, seed: int = 0
) -> Path:
    """Write images, labels, landmarks, pair list and task file; the same bytes for the same seed.

    Args:
        folder: is made where it is missing; what it holds of an earlier phantom is replaced.
        shape: of every image, in voxels.
        subjects: at least two; each is the moving image of the next one.
        seed: of the template's texture and of the subjects' deformations.

    Returns:
        The pair list, `PHANTOM_dataset.json`; the task file beside it is `phantom.toml`.

    Raises:
        OutputError: the folder cannot be written to.
    """
    names = [f"PHANTOM_{number:04}_0000.nii.gz" for number in range(1, subjects + 1)]
    for kind in ("imagesVal", "labelsVal", "landmarksVal"):
        make_folder(folder / kind)
    texture = _texture(shape, seed)
    for number, name in enumerate(names, start=1):
        places = _index(shape) + to_template(number, shape, seed)
        labels = _painted(BRAIN, places)
        write_volume(folder / "imagesVal" / name, _scan(labels, places, texture))
        write_volume(folder / "labelsVal" / name, labels)
        write_volume(folder / "landmarksVal" / name, _painted(LANDMARKS, places))
    evaluated = [0, *sorted(structure.label for structure in BRAIN)]
    _write(folder / "phantom.toml", TASK.format(shape=list(shape), labels=evaluated).encode())
    dataset = folder / "PHANTOM_dataset.json"
    _write(dataset, json.dumps(_listed(names, shape), indent=1).encode())
    return dataset


def to_template(subject: int, shape: Shape, seed: int = 0) -> Vectors:
    """Displacement `t` of a subject, in voxels: its voxel `p` shows the template at `p + t(p)`.

    Smooth, without folds, and nowhere longer than `LARGEST_SHIFT` along an axis.

    Args:
        subject: number in its name, from 1.
        shape: of the images, in voxels.
        seed: as for `write_phantom`.
    """
    coarse = np.random.default_rng([seed, subject]).uniform(-1, 1, (3, 5, 5, 5))
    factors = [size / 5 for size in shape]
    # Without the prefilter a cubic spline stays within its control points.
    waves = [zoom(wave, factors, order=3, mode="nearest", prefilter=False) for wave in coarse]
    longest = LARGEST_SHIFT * np.array(shape)
    return (np.stack(waves, axis=-1) * longest).astype(np.float32)


def true_field(fixed: int, moving: int, shape: Shape, seed: int = 0) -> Vectors:
    """The field `u` that brings one subject onto another, in voxels of the fixed one.

    Solves `p + u(p) + t_moving(p + u(p)) = p + t_fixed(p)`: both show the same place.

    Args:
        fixed: number of the fixed subject.
        moving: number of the moving subject.
        shape: as for `write_phantom`.
        seed: as for `write_phantom`.
    """
    wanted, back = to_template(fixed, shape, seed), to_template(moving, shape, seed)
    field = wanted
    for _ in range(20):  # a fixed point: `back` changes by less than one voxel per voxel
        places = np.moveaxis(_index(shape) + field, -1, 0)
        there = [
            map_coordinates(t, places, order=1, mode="nearest") for t in np.moveaxis(back, -1, 0)
        ]
        field = wanted - np.stack(there, axis=-1)
    return field


def _index(shape: Shape) -> Vectors:
    return np.moveaxis(np.indices(shape), 0, -1).astype(np.float32)


def _texture(shape: Shape, seed: int) -> Float[np.ndarray, "x y z"]:
    """Smooth noise of unit variance, for registration to hold on to within the structures."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth = gaussian_filter(noise, [size / 24 for size in shape])
    return smooth / smooth.std()


def _painted(structures: tuple[Ellipsoid, ...], places: Points) -> Map:
    *shape, _ = places.shape
    centre = (np.array(shape) - 1) / 2
    points = (places - centre) / (np.array(shape) / 2)
    labels = np.zeros(shape, np.uint8)
    for structure in structures:
        labels[structure.holds(points)] = structure.label
    return labels


def _scan(labels: Map, places: Points, texture: Float[np.ndarray, "x y z"]) -> Map:
    brightness = np.zeros(256)
    for structure in BRAIN:
        brightness[structure.label] = structure.brightness
    rough = map_coordinates(texture, np.moveaxis(places, -1, 0), order=1, mode="nearest")
    scan = gaussian_filter(brightness[labels], 0.5) + 8 * rough
    return np.where(labels > 0, np.clip(np.rint(scan), 1, 255), 0).astype(np.uint8)


def _listed(names: list[str], shape: Shape) -> dict[str, object]:
    paths = [f"./imagesVal/{name}" for name in names]
    pairs = [{"fixed": fixed, "moving": moving} for moving, fixed in pairwise(paths)]
    return {
        "name": "PHANTOM",
        "release": "1.0",
        "description": "Made-up brains with labels and landmarks",
        "modality": {"0": "T1w Brain MRI"},
        "tensorImageSize": {"0": "3D"},
        "tensorImageShape": {"0": list(shape)},
        "pairings": "unpaired",
        "provided_data": {"0": ["image", "label", "landmark"]},
        "numTraining": 0,
        "training": [],
        "numValidation": len(pairs),
        "validation": pairs,
    }


def _write(path: Path, content: bytes) -> None:
    with writing(path) as file:
        file.write(content)
