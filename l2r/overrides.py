"""Values of the command line, `--set key=value`, in place of those of a run file."""

import tomllib
from collections.abc import MutableMapping, Sequence
from copy import deepcopy

from l2r.errors import ConfigError

OPTION = "--set"


def overridden(table: dict[str, object], texts: Sequence[str]) -> dict[str, object]:
    """Put values into a copy of a parsed file.

    Args:
        table: the file with all that it extends.
        texts: `key=value`: keys of tables and numbers of an array's entries are separated by dots,
            `guidance.0.weight=2`; the value is TOML, and what is no TOML is a string.

    Raises:
        ConfigError: not written so, or the way to the key leads through something without keys.
    """
    changed = deepcopy(table)
    for text in texts:
        way, found, value = text.partition("=")
        keys = [key.strip() for key in way.split(".")]
        if not found or not all(keys):
            raise ConfigError(f"{OPTION} {text}: must look like key=value, as in epochs=3")
        _put(changed, keys, _value(value.strip()), text)
    return changed


def _put(table: MutableMapping[str, object], keys: Sequence[str], value: object, text: str) -> None:
    *way, last = keys
    place: object = table
    for key in way:
        if isinstance(place, dict):
            place.setdefault(key, {})
        place = _entry(place, key, text)
    if isinstance(place, list):
        _entry(place, last, text)
        place[int(last)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise ConfigError(f"{OPTION} {text}: {last!r} is no key of {place!r}")


def _entry(place: object, key: str, text: str) -> object:
    if isinstance(place, dict):
        return place[key]
    if isinstance(place, list):
        if not (key.isdecimal() and int(key) < len(place)):
            raise ConfigError(f"{OPTION} {text}: {key!r} is none of the {len(place)} entries")
        return place[int(key)]
    raise ConfigError(f"{OPTION} {text}: {key!r} is no key of {place!r}")


def _value(text: str) -> object:
    """TOML, or a string as it stands: shells take quotation marks off."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
