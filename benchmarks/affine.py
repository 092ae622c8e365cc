"""Affine registration against maps that are known, beside antspyx in the same run.

    python -m benchmarks.affine --dataset PAIRS.json [--pairs 16] [--ants PYTHON]

Of each pair the moving brain is turned by up to 30 degrees, scaled by up to 20 % along each axis
and shifted by up to 40 mm, brought onto a flipped grid of 1.2 mm, and made noisy.

    rigid    the fixed brain itself is moved, without scales: error in mm against the true map
    affine   the moving brain is: distance from (true map after the map found without moving it), so
             what two people's brains leave open is not counted; below 3 mm it is captured
"""

import json
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
from scipy.io import loadmat
from scipy.spatial.transform import Rotation

from l2r.dataset import read_pairs
from l2r.formats.affine import Affine
from l2r.formats.volumes import Image, read_image, write_volume
from l2r.transforms.base import AffineTransform
from l2r.transforms.grids import LPS, Grid
from l2r.transforms.resample import Resampling
from models.affine.parameters import Freedom
from models.affine.registration import AffineRegistration

CAPTURED_MM = 3.0
SIDE_MM, NOISE = 1.2, 4.0
ANTS = """
import sys, ants
fixed, moving, kind, stem = sys.argv[1:]
found = ants.registration(ants.image_read(fixed), ants.image_read(moving), kind, outprefix=stem)
"""


def random_map(random: np.random.Generator, *, rigid: bool) -> Affine:
    """A turn about any axis, scales and a shift."""
    matrix, axis, way = np.eye(4), random.normal(size=3), random.normal(size=3)
    turn = axis / np.linalg.norm(axis) * np.deg2rad(random.uniform(0, 30))
    scales = np.ones(3) if rigid else random.uniform(0.8, 1.2, 3)
    matrix[:3, :3] = Rotation.from_rotvec(turn).as_matrix() @ np.diag(scales)
    matrix[:3, 3] = way / np.linalg.norm(way) * random.uniform(0, 40)
    return matrix


def moved(image: Image, matrix: Affine, random: np.random.Generator) -> Image:
    """The image of which every place lies where the map brings it, on a flipped grid."""
    lifted = np.vstack([image.grid.corners(), np.ones(8)])
    ends = (matrix @ image.affine @ lifted)[:3]
    low, high = ends.min(axis=1), ends.max(axis=1)
    affine = np.diag([-SIDE_MM, SIDE_MM, SIDE_MM, 1.0])
    affine[:3, 3] = [high[0], low[1], low[2]]
    x, y, z = (int(size) for size in np.ceil((high - low) / SIDE_MM))
    along = Resampling(Grid((x, y, z), affine), AffineTransform(np.linalg.inv(matrix)))
    array = along(image.array, image.affine)
    noisy = array + random.normal(size=array.shape) * NOISE * (array > 0)
    return Image(noisy.astype(np.float32), affine)


def error_mm(found: Affine, true: Affine, fixed: Image) -> float:
    """Mean distance of places of the fixed brain, 8 mm apart, that two maps bring elsewhere."""
    some = np.argwhere(fixed.array[::8, ::8, ::8] > 0) * 8
    places = some @ fixed.affine[:3, :3].T + fixed.affine[:3, 3]
    rest = (found - true)[:3]
    return float(np.linalg.norm(places @ rest[:, :3].T + rest[:, 3], axis=1).mean())


def by_regatta(fixed: Image, moving: Image, kind: Freedom) -> Affine:
    """The map of this project."""
    return AffineRegistration(kind)(
        (fixed.array, fixed.affine), (moving.array, moving.affine)
    ).matrix


def by_ants(fixed: Image, moving: Image, kind: Freedom, python: Path) -> Affine:
    """The map of antspyx in a process of its own, which its start is part of."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        for name, image in (("fixed", fixed), ("moving", moving)):
            write_volume(folder / f"{name}.nii.gz", image.array, image.affine)
        words = [str(folder / "fixed.nii.gz"), str(folder / "moving.nii.gz")]
        word = {"rigid": "Rigid", "affine": "Affine"}[kind]
        subprocess.run(
            [str(python), "-c", ANTS, *words, word, str(folder / "out")],
            check=True,
            capture_output=True,
        )
        stored: dict[str, Any] = loadmat(folder / "out0GenericAffine.mat")
    centre = stored.pop("fixed").ravel()
    numbers = next(value for key, value in stored.items() if "Transform" in key).ravel()
    matrix = np.eye(4)
    matrix[:3, :3] = numbers[:9].reshape(3, 3)
    matrix[:3, 3] = numbers[9:] + centre - matrix[:3, :3] @ centre
    return LPS @ matrix @ LPS


def main(
    dataset: Annotated[Path, typer.Option(help="pair list of aligned brains")],
    *,
    pairs: Annotated[int, typer.Option(min=1)] = 16,
    ants: Annotated[Path | None, typer.Option(help="Python with antspyx")] = None,
    seed: int = 0,
) -> None:
    """Print error and seconds of every pair, and a summary."""
    random = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for pair in read_pairs(dataset, dataset.parent, "validation")[:pairs]:
        fixed, other = read_image(pair.fixed.path), read_image(pair.moving.path)
        for kind, source in (("rigid", fixed), ("affine", other)):
            true = random_map(random, rigid=kind == "rigid")
            moving = moved(source, true, random)
            for method in ("regatta", *(["antspyx"] if ants else [])):
                row = measured(method, kind, (fixed, source, moving), true, ants)
                rows.append({"pair": pair.name, **row})
                print(json.dumps(rows[-1]), flush=True)
    for kind in ("rigid", "affine"):
        for method in ("regatta", "antspyx"):
            summary(kind, method, rows)


def measured(
    method: str,
    kind: Freedom,
    images: tuple[Image, Image, Image],
    true: Affine,
    ants: Path | None,
) -> dict[str, object]:
    """Error and seconds of one method on a fixed image, a moving one, and that one moved."""
    fixed, source, moving = images

    def find(image: Image) -> Affine:
        if method == "regatta" or ants is None:
            return by_regatta(fixed, image, kind)
        return by_ants(fixed, image, kind, ants)

    unmoved = np.eye(4) if kind == "rigid" else find(source)
    start = time.monotonic()
    found = find(moving)
    seconds = time.monotonic() - start
    error = error_mm(found, true @ unmoved, fixed)
    return {"method": method, "kind": kind, "error_mm": round(error, 4), "s": round(seconds, 1)}


def summary(kind: str, method: str, rows: list[dict[str, object]]) -> None:
    """Print mean and median error, captures and time."""
    found = [row for row in rows if (row["kind"], row["method"]) == (kind, method)]
    if not found:
        return
    errors = np.array([row["error_mm"] for row in found], float)
    seconds = np.array([row["s"] for row in found], float)
    print(
        f"{kind} {method}: mean {errors.mean():.3f} mm, median {np.median(errors):.3f}, "
        f"captured {(errors < CAPTURED_MM).mean():.0%} of {len(found)}, {seconds.mean():.1f} s"
    )


if __name__ == "__main__":
    typer.run(main)
