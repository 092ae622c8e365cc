"""The manifest on the disk, read and written a pair at a time.

As Python's objects the records of a long list, with the curves of their losses, take four times the
memory of their text. So all of them are texts, and one at a time is a record.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter

from l2r import __version__
from l2r.disk import writing
from l2r.errors import L2RError, OutputError
from l2r.schema import Frozen, parse, read_json
from pipeline.register.manifest import Manifest, PairRecord, RunSettings

logger = logging.getLogger(__name__)
_ONE = TypeAdapter(dict[str, PairRecord])
_NO_PAIRS = '\n  "pairs": {}'
"""In the text of a manifest; strings have no line ends, and settings are indented further."""


class ManifestTexts(Frozen):
    """A manifest whose pairs are not parsed yet."""

    regatta: str
    settings: RunSettings
    pairs: dict[str, str]
    """JSON of each record, by the name of the field's file."""
    peak_memory_gib: dict[str, float]


def write_manifest(
    path: Path,
    settings: RunSettings,
    pairs: Mapping[str, str],
    peak_memory_gib: Mapping[str, float],
) -> None:
    """Write the manifest, whole or not at all, its pairs by name.

    Raises:
        OutputError: it cannot be written.
    """
    frame = Manifest(
        regatta=__version__, settings=settings, pairs={}, peak_memory_gib=dict(peak_memory_gib)
    )
    head, _, tail = frame.model_dump_json(indent=2).partition(_NO_PAIRS)
    with writing(path) as file:
        file.write(f'{head}\n  "pairs": {{'.encode())
        for number, name in enumerate(sorted(pairs)):
            file.write(f"{',' if number else ''}\n{_member(name, pairs[name])}".encode())
        end = "\n  }" if pairs else "}"
        file.write(f"{end}{tail}".encode())


def read_texts(path: Path) -> ManifestTexts | None:
    """The manifest, or None with a warning where it is damaged."""
    try:
        raw = read_json(path, OutputError, _as_text)
        return parse(ManifestTexts, raw, str(path), OutputError)
    except L2RError as error:
        logger.warning("%s; it is ignored and written anew", error)
        return None


def _member(name: str, text: str) -> str:
    """A pair as it stands in the manifest."""
    alone = _ONE.dump_json({name: PairRecord.model_validate_json(text)}, indent=2).decode()
    return alone.removeprefix("{").removesuffix("\n}").replace("\n", "\n  ").removeprefix("\n")


def _as_text(raw: dict[str, object]) -> object:
    """The record of a pair as text again, as soon as it is read; all else as it is."""
    return json.dumps(raw) if "field_sha256" in raw else raw
