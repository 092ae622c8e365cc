"""The sidecar of a prepared head: whence it came, and every step between."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from pydantic import Field

from l2r import __version__
from l2r.disk import sha256, writing
from l2r.errors import ImageError
from l2r.formats.affine import Affine
from l2r.formats.table import strip_suffix
from l2r.schema import Frozen, parse, read_json
from l2r.transforms.base import AffineTransform

_PACKAGES = ("numpy", "scipy", "torch", "nibabel", "SimpleITK", "deepbet")


class HeadRecord(Frozen):
    """Everything that is known of a prepared head."""

    regatta: str
    versions: dict[str, str]
    source: str
    """Path of the image as it is stored."""
    sources_sha256: dict[str, str]
    """Of `image`, and of `labels` if there are any."""
    outputs_sha256: dict[str, str]
    """By the names of files in the folder."""
    matrix: tuple[tuple[float, float, float, float], ...]
    """RAS millimetres of the prepared image to those of the source, by rows."""
    steps: dict[str, object]
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = Field(default_factory=dict)

    @property
    def transform(self) -> AffineTransform:
        """From places of the prepared image to places of the source."""
        matrix: Affine = np.array(self.matrix, np.float64)
        return AffineTransform(matrix)

    def is_whole(self, folder: Path) -> bool:
        """Tell if every output is there with its content."""
        return all(
            (folder / name).is_file() and sha256(folder / name) == expected
            for name, expected in self.outputs_sha256.items()
        )


def sidecar_of(prepared: Path) -> Path:
    """The record's file of a prepared image."""
    return prepared.with_name(f"{strip_suffix(prepared.name)}.json")


def mask_of(prepared: Path) -> Path:
    """The brain's mask, on the grid of the source."""
    return prepared.with_name(f"{strip_suffix(prepared.name)}_desc-brain_mask.nii.gz")


def read_record(prepared: Path) -> HeadRecord:
    """The record of a prepared image.

    Raises:
        ImageError: it is missing or damaged.
    """
    path = sidecar_of(prepared)
    if not path.is_file():
        raise ImageError(f"{prepared}: {path.name}, which regatta prepare writes, is not beside it")
    return parse(HeadRecord, read_json(path, ImageError), str(path), ImageError)


def write_record(path: Path, record: HeadRecord) -> None:
    """Write a record, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with writing(path) as file:
        file.write((record.model_dump_json(indent=2) + "\n").encode())


def software() -> tuple[str, dict[str, str]]:
    """Regatta's version and those of the packages that decide a prepared image."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return __version__, found
