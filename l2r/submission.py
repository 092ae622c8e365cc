"""A submission: one field per pair, in a folder or in a flat zip, named as the scorer asks."""

import lzma
import math
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from jaxtyping import Float

from l2r.archive import members
from l2r.arrays import Shape, triple
from l2r.disk import TEMPORARY
from l2r.errors import DatasetError, FieldError, SubmissionError
from l2r.field import from_channels_first, half_as_fine, twice_as_fine
from l2r.formats.fields import read_field
from l2r.formats.nifti import Nifti
from l2r.formats.npz import NumpyArchive
from l2r.name_rules import NAME_RULES
from l2r.pairs import Pair
from l2r.task import FieldRule, Task

MANIFEST = "manifest.json"
JOURNALS = "manifest*.jsonl"
"""Pattern of the records of runs and shards that are not finished."""
# RuntimeError: it has a password; NotImplementedError, one of its kind: a method we do not know.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


def field_name(rule: FieldRule, pair: Pair) -> str:
    """The file name under which the scorer looks for the field of a pair.

    Raises:
        DatasetError: the rule needs numbers that the images' names do not hold.
    """
    return NAME_RULES[rule.names].field(pair) + Nifti.suffixes[0]


def accepted_names(rule: FieldRule, pair: Pair) -> tuple[str, ...]:
    """Every file name that the scorer takes for a pair; the first is the one that we write.

    Raises:
        DatasetError: as for `field_name`.

    Source:
        `evaluation.py` of MDL-UzL/L2R for NumPy archives beside NIfTI.
    """
    names = NAME_RULES[rule.names]
    stems = (names.field(pair), *names.others(pair))
    suffixes = (Nifti.suffixes[0], *(NumpyArchive.suffixes if rule.npz else ()))
    return tuple(f"{stem}{suffix}" for suffix in suffixes for stem in stems)


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


def locate(submission: "Submission", rule: FieldRule, pairs: list[Pair]) -> dict[Pair, str]:
    """The file of every pair, under a name that the scorer takes.

    Raises:
        DatasetError: as for `field_names`.
        FieldError: a field is missing or is present under two names.
    """
    present = submission.names()
    accepted = {pair: accepted_names(rule, pair) for pair in field_names(rule, pairs).values()}
    found = {pair: [n for n in names if n in present] for pair, names in accepted.items()}
    missing = [pair for pair, names in found.items() if not names]
    if missing:
        wanted = accepted[missing[0]]
        raise FieldError(
            f"{submission.path / wanted[0]}: {why_missing(wanted[0], present)}; {len(missing)} of "
            f"{len(pairs)} fields are missing, and the scorer takes {_only(wanted)}"
        )
    for pair, names in found.items():
        if len(names) > 1:
            raise FieldError(
                f"{submission.path}: {names[0]} and {names[1]} are both fields of {pair.name}; "
                "remove one"
            )
    return {pair: name for pair, (name,) in found.items()}


def why_missing(name: str, present: list[str]) -> str:
    """The likely reason why a field is not where the scorer looks."""
    for other in present:
        if other.endswith(f"/{name}"):
            return f"it lies in a folder, {other}, but the scorer looks at the top"
        if other.endswith(f"\\{name}"):  # on Linux a part of the name, not a folder
            return f"the zip has it as {other}, with a backslash; zip the fields themselves again"
    return "no such file"


def _only(names: tuple[str, ...]) -> str:
    return f"{names[0]}, no other name" if len(names) == 1 else " or ".join(names)


class Submission(ABC):
    """Fields by name, wherever they lie."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def names(self) -> list[str]:
        """Every file in it, sorted, with `/` where it lies in a folder."""

    @abstractmethod
    def read(self, name: str, most: int | None = None) -> Float[np.ndarray, "..."]:
        """One field, in whatever shape it is stored.

        Args:
            name: as `names` has it.
            most: bytes that it may unpack to, see `most_bytes`.

        Raises:
            FieldError: it is missing, too large, or cannot be read.
        """


class Folder(Submission):
    """A folder of fields, as `run` leaves it."""

    def names(self) -> list[str]:
        return sorted(
            path.relative_to(self.path).as_posix()
            for path in self.path.rglob("*")
            if path.is_file() and not path.name.endswith(TEMPORARY)
        )

    def read(self, name: str, most: int | None = None) -> Float[np.ndarray, "..."]:
        return read_field(self.path / name, None, most)


class Zip(Submission):
    """A zip of fields, read in place and never unpacked."""

    def names(self) -> list[str]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                return sorted(members(archive, self.path))
        except _UNREADABLE as cause:
            raise SubmissionError(f"{self.path}: cannot be read: {cause}; zip it again") from None

    def read(self, name: str, most: int | None = None) -> Float[np.ndarray, "..."]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                stored = members(archive, self.path)[name]
                with archive.open(stored) as member:
                    content = member.read(-1 if most is None else most + 1)
        except KeyError:
            raise FieldError(f"{self.path / name}: no such file") from None
        except _UNREADABLE as cause:
            raise FieldError(f"{self.path / name}: cannot be read: {cause}") from None
        return read_field(self.path / name, content, most)


def most_bytes(shape: Shape) -> int:
    """Bound the unpacked bytes of a field on a grid of this shape: doubles, and a long header."""
    return 8 * 3 * math.prod(shape) + (1 << 20)


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
    """A stored field as `(x, y, z, 3)` on the grid of the images, refused as the scorer refuses it.

    Args:
        stored: as read from the file.
        shape: of the fixed image.
        task: whose rule it is.
        where: begins the message, the field's name.

    Raises:
        FieldError: a wrong shape, with what it looks like, or values that are not finite.
    """
    half = triple([size // 2 for size in shape])
    grid = half if task.field.grid == "half" else shape
    expected = (*grid, 3)
    vectors = stored
    if task.field.channels_first and stored.shape == (3, *grid):
        vectors = from_channels_first(stored)
    if vectors.shape != expected:
        hints = _on_half_grid(shape) if task.field.grid == "half" else _on_full_grid(shape, half)
        raise FieldError(
            f"{where}: shape {stored.shape}, but task {task.name!r} asks for {expected}"
            f"{hints.get(stored.shape, '')}"
        )
    if not np.isfinite(vectors).all():
        bad = int((~np.isfinite(vectors)).sum())
        raise FieldError(f"{where}: {bad} of {vectors.size} values are NaN or infinite")
    return twice_as_fine(vectors.astype(np.float32)) if task.field.grid == "half" else vectors


def as_stored(
    vectors: Float[np.ndarray, "x y z 3"], rule: FieldRule
) -> Float[np.ndarray, "_ _ _ 3"]:
    """Convert a field on the grid of the images to what `as_vectors` reads from the file."""
    return half_as_fine(vectors) if rule.grid == "half" else vectors


def _on_full_grid(shape: Shape, half: Shape) -> dict[tuple[int, ...], str]:
    return {
        (3, *shape): "; the components are the first axis, move them last",
        (*shape, 1, 3): "; this is ITK's layout, squeeze the fourth axis (and mind its mm in LPS)",
        (*half, 3): "; this is the half grid, upsample by 2 and double the values",
        (3, *half): "; this is the half grid, upsample by 2, double the values, components last",
        (*shape[::-1], 3): "; the axes are reversed, (z, y, x) instead of (x, y, z)",
    }


def _on_half_grid(shape: Shape) -> dict[tuple[int, ...], str]:
    full = (
        "; this is the full grid, average every 2 x 2 x 2 voxels and leave the values as they are"
    )
    return {(3, *shape): full, (*shape, 3): full}
