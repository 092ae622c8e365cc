"""A submission: one field per pair, in a folder or in a flat zip, named as the scorer asks."""

import lzma
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from jaxtyping import Float

from l2r.arrays import Shape
from l2r.dataset import Pair
from l2r.errors import DatasetError, FieldError, SubmissionError
from l2r.field import from_channels_first
from l2r.files import TEMPORARY, read_field
from l2r.task import FieldRule, Task

MANIFEST = "manifest.json"
# RuntimeError: it has a password; NotImplementedError, one of its kind: a method we do not know.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


def field_name(rule: FieldRule, pair: Pair) -> str:
    """The file name under which the scorer looks for the field of a pair.

    Raises:
        DatasetError: the rule needs numbers that the images' names do not hold.

    Source:
        learn2reg.grand-challenge.org; the LUMIR scorer takes the short name, and only that, for
        pairs of one modality and for 0000 to 0001.
    """
    if rule.names == "stem":
        return f"disp_{pair.fixed.stem}_{pair.moving.stem}.nii.gz"
    (fixed, fixed_kind), (moving, moving_kind) = pair.fixed.ids, pair.moving.ids
    short = fixed_kind == moving_kind or (fixed_kind, moving_kind) == ("0000", "0001")
    if rule.names == "lumir" and short:
        return f"disp_{fixed}_{moving}.nii.gz"
    return f"disp_{fixed}_{fixed_kind}_{moving}_{moving_kind}.nii.gz"


def field_names(rule: FieldRule, pairs: list[Pair]) -> dict[str, Pair]:
    """The pairs by the names of their fields, in the order of the list.

    Raises:
        DatasetError: two pairs would share a name.
    """
    named: dict[str, Pair] = {}
    for pair in pairs:
        name = field_name(rule, pair)
        if name in named:
            raise DatasetError(
                f"{pair.name} and {named[name].name} would both be written to {name}; "
                "the task's names tell pairs apart by number alone, remove one"
            )
        named[name] = pair
    return named


class Submission(ABC):
    """Fields by name, wherever they lie."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def names(self) -> list[str]:
        """Every file in it, sorted, with `/` where it lies in a folder."""

    @abstractmethod
    def read(self, name: str) -> Float[np.ndarray, "..."]:
        """One field, in whatever shape it is stored.

        Raises:
            FieldError: it is missing or cannot be read.
        """


class Folder(Submission):
    """A folder of fields, as `run` leaves it."""

    def names(self) -> list[str]:
        return sorted(
            path.relative_to(self.path).as_posix()
            for path in self.path.rglob("*")
            if path.is_file() and not path.name.endswith(TEMPORARY)
        )

    def read(self, name: str) -> Float[np.ndarray, "..."]:
        return read_field(self.path / name)


class Zip(Submission):
    """A zip of fields, read in place and never unpacked."""

    def names(self) -> list[str]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                return sorted(name for name in archive.namelist() if not name.endswith("/"))
        except _UNREADABLE as cause:
            raise SubmissionError(f"{self.path}: cannot be read: {cause}; zip it again") from None

    def read(self, name: str) -> Float[np.ndarray, "..."]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                content = archive.read(name)
        except KeyError:
            raise FieldError(f"{self.path / name}: no such file") from None
        except _UNREADABLE as cause:
            raise FieldError(f"{self.path / name}: cannot be read: {cause}") from None
        return read_field(self.path / name, content)


def open_submission(path: Path) -> Submission:
    """A folder or a zip of fields.

    Raises:
        SubmissionError: it is neither.
    """
    if path.is_dir():
        return Folder(path)
    if zipfile.is_zipfile(path):
        return Zip(path)
    state = "is not a zip file" if path.is_file() else "does not exist"
    raise SubmissionError(f"{path}: {state}; give the folder of fields, or a zip of it")


def as_vectors(
    stored: Float[np.ndarray, "..."], shape: Shape, task: Task, where: str
) -> Float[np.ndarray, "x y z 3"]:
    """A stored field as `(x, y, z, 3)`, refused as the scorer would refuse it.

    Args:
        stored: as read from the file.
        shape: of the fixed image.
        task: whose rule it is.
        where: begins the message, the field's name.

    Raises:
        FieldError: a wrong shape, with what it looks like, or values that are not finite.
    """
    expected = (*shape, 3)
    vectors = stored
    if task.field.channels_first and stored.shape == (3, *shape):
        vectors = from_channels_first(stored)
    if vectors.shape != expected:
        raise FieldError(
            f"{where}: shape {stored.shape}, but task {task.name!r} asks for {expected}"
            f"{_shape_hint(stored.shape, shape)}"
        )
    if not np.isfinite(vectors).all():
        bad = int((~np.isfinite(vectors)).sum())
        raise FieldError(f"{where}: {bad} of {vectors.size} values are NaN or infinite")
    return vectors


def _shape_hint(found: tuple[int, ...], shape: Shape) -> str:
    half = tuple(size // 2 for size in shape)
    hints = {
        (3, *shape): "; the components are the first axis, move them last",
        (*shape, 1, 3): "; this is ITK's layout, squeeze the fourth axis (and mind its mm in LPS)",
        (*half, 3): "; this is the half grid, upsample by 2 and double the values",
        (3, *half): "; this is the half grid, upsample by 2, double the values, components last",
        (*shape[::-1], 3): "; the axes are reversed, (z, y, x) instead of (x, y, z)",
    }
    return hints.get(found, "")
