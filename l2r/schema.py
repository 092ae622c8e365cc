"""JSON and TOML as typed records, with errors that fit on one line."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from l2r.errors import L2RError

ParsedRecord = TypeVar("ParsedRecord")
_OWN_NAME = re.compile(r" or instance of \w+")
"""In pydantic's messages; a user does not know the names of our records."""
SHOWN = 3
"""Faults of one file that a message names."""


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("a window has a centre, so its width must be odd")
    return value


Window = Annotated[PositiveInt, AfterValidator(_odd)]
"""Width of a window in voxels."""


def word_of(table: Mapping[str, object], called: str) -> AfterValidator:
    """Refuse words that a table does not have.

    Args:
        table: by its words.
        called: what one entry is called in messages.
    """

    def known(word: str) -> str:
        if word not in table:
            raise ValueError(f"no {called} {word!r}; there are {', '.join(table)}")
        return word

    return AfterValidator(known)


class Frozen(BaseModel):
    """Our own configuration: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Tolerant(BaseModel):
    """Files of the wild: unknown keys are ignored, wrong types are not."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


def read_text(path: Path, error: type[L2RError]) -> str:
    """Text of a UTF-8 file; `error`, in one line, where that fails."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as cause:
        raise error(f"{path}: cannot be read: {cause}") from None


def read_json(
    path: Path, error: type[L2RError], take: Callable[[dict[str, object]], object] | None = None
) -> object:
    """Parsed JSON; `error` names line and column of a typo.

    Args:
        path: of the file.
        error: what is raised.
        take: called with every object, the inner ones first; what it returns stands in its place.
    """
    try:
        return json.loads(read_text(path, error), object_hook=take)
    except json.JSONDecodeError as cause:
        place = f"line {cause.lineno}, column {cause.colno}"
        hint = "; separate folders by / instead of backslashes" if "escape" in cause.msg else ""
        raise error(f"{path}: not valid JSON at {place}: {cause.msg}{hint}") from None
    except (ValueError, RecursionError) as cause:  # thousands of digits or brackets
        raise error(f"{path}: not valid JSON: {cause}") from None


def read_toml(path: Path, error: type[L2RError]) -> dict[str, object]:
    """Parsed TOML; `error` names the place of a typo."""
    try:
        return tomllib.loads(read_text(path, error))
    except tomllib.TOMLDecodeError as cause:
        raise error(f"{path}: not valid TOML: {cause}") from None


def parse(kind: type[ParsedRecord], raw: object, where: str, error: type[L2RError]) -> ParsedRecord:
    """Turn parsed JSON or TOML into a record.

    Args:
        kind: the record, a pydantic model, which may be a `RootModel`.
        raw: what the file held.
        where: begins the message, usually the path.
        error: what is raised.

    Raises:
        L2RError: of the kind `error`; the first few faults on one line.
    """
    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError as cause:
        faults = [
            f"{_place(fault['loc'])}: {_OWN_NAME.sub('', fault['msg']).lower()}"
            for fault in cause.errors(include_url=False)
        ]
        more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise error(f"{where}: " + "; ".join(faults[:SHOWN] + more)) from None


def _place(parts: tuple[int | str, ...]) -> str:
    """The keys that lead to a fault, without pydantic's names of our checks and records."""
    keys = [str(part) for part in parts if "[" not in str(part)]
    return ".".join(keys) or "top level"


@dataclass(frozen=True)
class Shelf(Generic[ParsedRecord]):
    """A folder of TOML files of one kind, each known by its name."""

    folder: Path
    kind: type[ParsedRecord]
    called: str
    """What one is called in messages, `task`."""
    error: type[L2RError]

    def names(self) -> list[str]:
        """Every name that `load` knows."""
        return sorted(path.stem for path in self.folder.glob("*.toml"))

    def load(self, name: str) -> ParsedRecord:
        """Read `<name>.toml` of the folder, or a file that is given by its path.

        Raises:
            L2RError: of the kind `error`; no such file, or it is faulty.
        """
        path = Path(name) if name.endswith(".toml") else self.folder / f"{name}.toml"
        if path.parent == self.folder and not path.is_file():
            raise self.error(
                f"no {self.called} {name!r}; known are {', '.join(self.names())}, "
                f"or give the path of a {self.called} file"
            )
        return parse(self.kind, read_toml(path, self.error), str(path), self.error)
