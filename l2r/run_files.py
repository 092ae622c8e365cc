"""Run files and training files: TOML that may extend another file of its kind."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from l2r.errors import ConfigError
from l2r.overrides import OPTION, overridden
from l2r.schema import ParsedRecord, parse, read_toml

EXTENDS = "extends"
"""The key that names another file, relative to the one that it stands in."""
_FILES = ("weights", "first_stage")
"""Keys of files that are taken from the folder of the run file that names them, if they lie there;
else they are a name in the registry, or relative to where the command is called."""


def load_run_file(
    kind: type[ParsedRecord], path: Path, overrides: Sequence[str] = ()
) -> ParsedRecord:
    """Read a file and all that it extends as one record.

    Tables are merged key by key, and a table whose `name` or `kind` differs replaces the one that
    it extends; anything else, arrays included, replaces what the extended file has.

    Args:
        kind: a pydantic model.
        path: the file.
        overrides: values that go before those of the file, see `l2r.overrides`.

    Raises:
        ConfigError: a file of the chain is missing or not TOML, the chain is a circle, or the
            merged file has an unknown key or a wrong value.
    """
    merged, chain = _merged(path, ())
    where = [" extends ".join(map(str, chain)), *(f"{OPTION} {text}" for text in overrides)]
    return parse(kind, overridden(merged, overrides), " ".join(where), ConfigError)


def read_run_file(path: Path) -> dict[str, object]:
    """Read a file and all that it extends, unchecked.

    Raises:
        ConfigError: a file of the chain is missing or not TOML, or the chain is a circle.
    """
    return _merged(path, ())[0]


def _merged(path: Path, before: tuple[Path, ...]) -> tuple[dict[str, object], tuple[Path, ...]]:
    """Merge a file onto what it extends; `before` are the files that led to it."""
    chain = (*before, path)
    if path.resolve() in [one.resolve() for one in before]:
        raise ConfigError(f"{' extends '.join(map(str, chain))}: a circle; take one `extends` out")
    own = _read(path, before)
    base = own.pop(EXTENDS, None)
    _anchor(own, path.parent)
    if base is None:
        return own, chain
    if not isinstance(base, str):
        raise ConfigError(f"{path}: extends: the path of one file as a string, not {base!r}")
    inherited, chain = _merged(path.parent / base, chain)
    return _merge(inherited, own), chain


def _read(path: Path, before: tuple[Path, ...]) -> dict[str, object]:
    if before and not path.is_file():
        raise ConfigError(
            f"{' extends '.join(map(str, before))}: extends {path}: no such file; the path is "
            f"relative to {before[-1].parent}"
        )
    return read_toml(path, ConfigError)


def _merge(base: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """Put one table over another one."""
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict) and not _replaces(value, below):
            merged[key] = _merge(below, value)
        else:
            merged[key] = value
    return merged


def _replaces(own: Mapping[str, object], base: Mapping[str, object]) -> bool:
    """Tell whether a table chooses another member of a family, which has other keys."""
    return any(key in own and key in base and own[key] != base[key] for key in ("name", "kind"))


def _anchor(table: dict[str, object], folder: Path) -> None:
    """Make paths of files that lie beside a run file independent of what extends it."""
    for value in table.values():
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if isinstance(part, dict):
                _anchor_files(part, folder)
                _anchor(part, folder)


def _anchor_files(table: dict[str, object], folder: Path) -> None:
    for key in _FILES:
        name = table.get(key)
        if isinstance(name, str) and (folder / name).is_file():
            table[key] = str(folder / name)
