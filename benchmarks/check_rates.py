"""Measure how often `check` accuses right fields, and how often it finds wrong units.

    python -m benchmarks.check_rates [--true 204] [--lists 12] [--seed 0]

Fields are right by construction: the fixed image is a phantom or a brain of `sample/`, warped by a
known smooth deformation, then seen in another contrast, with noise, a bias field, padding, a skull
or a part cut off. Every right field is judged alone and in lists of six; wrong units are judged in
lists of six, on purpose from 2 voxels of motion on.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice, product
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates, zoom

from l2r.check.evidence import Evidence, judge, weigh
from l2r.formats.volumes import Image, read_image

SAMPLE = Path(__file__).parents[1] / "sample/imagesVal"
AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
"""Anisotropic, so that millimetres differ from voxels along every axis."""
SIDES = np.array([2.0, 2.0, 3.0])
MOTIONS = (1, 2, 4, 8, 15, 30)
"""Longest displacement along an axis, in voxels."""
PAIRS = 6
"""Of a list."""

Images = tuple[np.ndarray, np.ndarray]
Generator = np.random.Generator


@dataclass(frozen=True)
class Example:
    """A pair of images and its right field."""

    fixed: np.ndarray
    moving: np.ndarray
    vectors: np.ndarray

    def evidence(self, vectors: np.ndarray) -> Evidence:
        """The similarity of any field between the two images."""
        images = (Image(array.astype(np.float32), AFFINE) for array in (self.fixed, self.moving))
        return weigh(*images, np.ascontiguousarray(vectors, np.float32))


def tissue(shape: tuple[int, int, int], rng: Generator) -> np.ndarray:
    """Smooth random tissue in an ellipsoid on a background of zeros."""
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij"))
    inside = ((places / np.array([0.75, 0.8, 0.78])[:, None, None, None]) ** 2).sum(axis=0) < 1
    parts = [gaussian_filter(rng.standard_normal(shape), s) * s**1.5 for s in (1.5, 3, 5)]
    texture = np.sum(parts, axis=0)
    texture = (texture - texture[inside].mean()) / texture[inside].std()
    return np.where(inside, np.clip(130 + 45 * texture, 20, 255), 0)


@cache
def brain(number: int, *, whole: bool) -> np.ndarray:
    """A brain of the sample, on LUMIR's grid or averaged over 2 x 2 x 2 voxels."""
    array = read_image(SAMPLE / f"SAMPLE_{number:04}_0000.nii.gz").array
    if whole:
        return array
    x, y, z = (size // 2 for size in array.shape)
    return array.reshape(x, 2, y, 2, z, 2).mean(axis=(1, 3, 5))


def smooth_field(shape: tuple[int, ...], motion: float, rng: Generator) -> np.ndarray:
    """A smooth deformation with a shift, at most so many voxels long along an axis."""
    wavelength = max(5, 0.7 * motion)
    coarse = [max(4, int(2 * size / wavelength)) for size in shape]
    ratios = [fine / few for fine, few in zip(shape, coarse, strict=True)]
    noise = [gaussian_filter(rng.standard_normal(coarse), 2, mode="nearest") for _ in range(3)]
    waves = [zoom(wave, ratios, order=3, mode="nearest", grid_mode=True) for wave in noise]
    vectors = np.stack(waves, axis=-1)
    vectors = vectors / vectors.std(axis=(0, 1, 2)) + rng.uniform(-0.7, 0.7, 3)
    return vectors * (motion / np.abs(vectors).max())


def warped(moving: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The moving image on the fixed grid, zero beyond it."""
    places = np.indices(vectors.shape[:3]) + np.moveaxis(vectors, -1, 0)
    return map_coordinates(moving, places, order=1)


def with_skull(image: np.ndarray) -> np.ndarray:
    """A bright shell around the brain."""
    distance = distance_transform_edt(image == 0)
    return image + 150 * ((distance > 3) & (distance < 8))


def in_tube(image: np.ndarray) -> np.ndarray:
    """Hounsfield units in a cylinder, -2000 around it."""
    x, y = (np.linspace(-1, 1, size) for size in image.shape[:2])
    return np.where(np.hypot(x[:, None], y)[..., None] > 0.9, -2000, 4 * image - 1000)


def flair(image: np.ndarray) -> np.ndarray:
    """Middle values bright, both ends dark."""
    level = image / np.percentile(image[image > 0], 60)
    return np.where(image > 0, 255 * np.exp(-(((level - 0.9) / 0.35) ** 2)), 0)


def pet(image: np.ndarray) -> np.ndarray:
    """Middle values alone, blurred."""
    middle = (image > 0.35 * image.max()) & (image < 0.7 * image.max())
    return gaussian_filter(np.where(middle, 200.0, 0), 3)


def plane(image: np.ndarray, axis: int, share: float) -> np.ndarray:
    """The image up to a plane, zero beyond it."""
    cut = image.copy()
    np.moveaxis(cut, axis, 0)[int(share * image.shape[axis]) :] = 0
    return cut


LOOKS: dict[str, Callable[[np.ndarray, np.ndarray, Generator], Images]] = {
    "same": lambda f, m, _: (f, m),
    "noise": lambda f, m, rng: (f + rng.normal(0, 25, f.shape), m + rng.normal(0, 25, m.shape)),
    "inverted": lambda f, m, _: (np.where(f > 0, 260 - f, 0), m),
    "FLAIR": lambda f, m, _: (flair(f), m),
    "PET": lambda f, m, _: (pet(f), m),
    "CT": lambda f, m, _: (np.where(f > 0, np.where(f > 180, 1000, 40 - f / 10), -1000), m),
    "bias": lambda f, m, _: (f * np.linspace(0.3, 1.7, len(f))[:, None, None], m),
    "fixed cut": lambda f, m, _: (plane(f, 2, 0.5), m),
    "moving cut": lambda f, m, _: (f, plane(m, 1, 0.6)),
    "padding": lambda f, m, _: (in_tube(f), 4 * m - 1000),
    "fixed skull": lambda f, m, _: (with_skull(f), m),
    "moving skull": lambda f, m, _: (f, with_skull(m)),
}
"""Fixed and moving image as another scanner shows them."""


def places(u: np.ndarray) -> np.ndarray:
    """The place to which each voxel moves, in voxels."""
    return u + np.moveaxis(np.indices(u.shape[:3]), 0, -1)


def inverse(u: np.ndarray) -> np.ndarray:
    """The field that leads back, by fixed-point iteration."""
    result = -u
    for _ in range(12):
        points = np.indices(u.shape[:3]) + np.moveaxis(result, -1, 0)
        parts = [map_coordinates(c, points, order=1, mode="nearest") for c in np.moveaxis(u, -1, 0)]
        result = -np.stack(parts, axis=-1)
    return result


def last(u: np.ndarray) -> np.ndarray:
    """Index of the last voxel along each axis."""
    return np.array(u.shape[:3]) - 1


WRONG: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "x and y negated as in ITK's LPS": lambda u: u * [-1, -1, 1],
    "x negated": lambda u: u * [-1, 1, 1],
    "y negated": lambda u: u * [1, -1, 1],
    "z negated": lambda u: u * [1, 1, -1],
    "millimetres": lambda u: u * SIDES,
    "millimetres, x and y negated as in ITK's LPS": lambda u: u * SIDES * [-1, -1, 1],
    "normalised to [-1, 1]": lambda u: 2 * u / last(u),
    "normalised to [-1, 1], components in the order z, y, x": lambda u: (2 * u / last(u))[
        ..., ::-1
    ],
    "normalised to [0, 1]": lambda u: u / last(u),
    "normalised to [0, 1], components in the order z, y, x": lambda u: (u / last(u))[..., ::-1],
    "voxels of the half grid": lambda u: u / 2,
    "twice the displacement": lambda u: 2 * u,
    "components in the order z, y, x": lambda u: u[..., ::-1],
    "x, y and z negated": lambda u: -u,
    "moving to fixed": inverse,
    "places": places,
    "places, millimetres": lambda u: places(u) * SIDES,
    "places, [-1, 1], components in the order z, y, x": (
        lambda u: (2 * places(u) / last(u) - 1)[..., ::-1]
    ),
    "places, [0, 1], components in the order z, y, x": lambda u: (places(u) / last(u))[..., ::-1],
}
"""How a right field goes wrong, by what should be said of it."""


def example(kind: str, look: str, motion: float, seed: int) -> Example:
    """A pair with its right field; the same for the same arguments."""
    rng = np.random.default_rng([seed, round(10 * motion)])
    far = motion > 16
    if kind == "phantom":
        moving = tissue((96, 112, 104) if motion > 10 else (48, 64, 56), rng)
    else:
        moving = brain(int(rng.integers(1, 4)), whole=far)
    vectors = smooth_field(moving.shape, motion, rng)
    return Example(*LOOKS[look](warped(moving, vectors), moving, rng), vectors)


def settings(motions: tuple[float, ...]) -> Iterator[tuple[str, str, float, int]]:
    """Kind, look, motion and seed, so that every six have all motions."""
    every = product(range(1_000), ("phantom", "brain"), LOOKS, motions)
    yield from ((kind, look, motion, seed) for seed, kind, look, motion in every)


def false_alarms(fields: int, seed: int) -> None:
    """Right fields, alone and in lists of six of one look."""
    alone: Counter[str] = Counter()
    lists: Counter[str] = Counter()
    every = settings(MOTIONS)
    for _ in range(fields // PAIRS):
        six = islice(every, PAIRS)
        evidences = []
        for kind, look, motion, number in six:
            made = example(kind, look, motion, seed + number)
            evidences.append(made.evidence(made.vectors))
            verdict = judge(evidences[-1:])
            alone[verdict.kind] += 1
            if verdict.kind in ("other", "worse", "outside"):
                print(f"  {kind}, {look}, {motion} voxels: {verdict}")
        lists[judge(evidences).kind] += 1
    zero = example("brain", "inverted", 4, seed)
    print(f"zero field: {judge([zero.evidence(np.zeros_like(zero.vectors))]).kind}")
    print(f"right fields, each alone, {alone.total()}: {dict(alone)}")
    print(f"right fields, lists of {PAIRS}, {lists.total()}: {dict(lists)}")


def detection(lists: int, seed: int) -> None:
    """Wrong readings of whole lists."""
    found: Counter[str] = Counter()
    named: Counter[str] = Counter()
    total = 0
    looks = [look for look in LOOKS if look != "PET"]  # too blurred for small motions
    every = zip(cycle(("phantom", "brain")), cycle(looks), cycle(MOTIONS[1:]), strict=False)
    for number, (kind, look, motion) in enumerate(islice(every, lists)):
        six = [example(kind, look, motion, seed + 100 * number + pair) for pair in range(PAIRS)]
        for meaning, wrong in WRONG.items():
            verdict = judge([made.evidence(wrong(made.vectors)) for made in six])
            total += 1
            found[meaning] += verdict.kind in ("other", "outside")
            right = any(_same(reading.meaning, meaning) for reading in verdict.readings)
            named[meaning] += right
            if not right:
                said = [reading.meaning for reading in verdict.readings]
                print(f"  {kind}, {look}, {motion} voxels, {meaning}: {verdict.kind} {said}")
    for meaning in WRONG:
        print(f"{found[meaning]:4} found, {named[meaning]:4} named of {lists}: {meaning}")
    print(f"wrong lists: {found.total()} of {total} found, {named.total()} named")


def _same(said: str, meant: str) -> bool:
    words = [part.replace("normalised to ", "") for part in said.split(", ")]
    return {w.split()[0] if w.startswith("places") else w for w in words} == {
        w.replace("normalised to ", "") for w in meant.split(", ")
    }


def main() -> None:
    """Run both measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--true", type=int, default=204, help="right fields")
    parser.add_argument("--lists", type=int, default=12, help="lists, each with every wrong unit")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    false_alarms(options.true, options.seed)
    detection(options.lists, options.seed)


if __name__ == "__main__":
    main()
