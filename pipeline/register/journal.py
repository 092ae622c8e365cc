"""The append-only record of a run that goes on: one line a pair.

A line is appended in one write when the pair's field is on the disk. A process that is killed
leaves at most a torn last line, which is ignored; a machine that loses power may lose the last
lines, which costs their pairs once more. So nothing is synchronised with the disk per pair, and a
pair costs the same in a list of ten thousand as in one of ten.
"""

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from l2r.errors import OutputError
from l2r.schema import Frozen
from pipeline.register.manifest import PairRecord, RunSettings

logger = logging.getLogger(__name__)


class JournalHeader(Frozen):
    """The first line, which says by what the pairs of the following ones were made."""

    settings_sha256: str


class JournalLine(Frozen):
    """One pair."""

    name: str
    """Of the field's file."""
    pair: PairRecord
    peak_memory_gib: dict[str, float]
    """Of the process so far, on the host and on the device."""


def append(path: Path, settings: RunSettings, line: JournalLine) -> None:
    """Add a line to a journal, which is begun where it is missing.

    The file is opened for each line: another shard may have moved what it holds into the manifest.

    Raises:
        OutputError: it cannot be written.
    """
    text = f"{line.model_dump_json()}\n"
    try:
        with path.open("ab") as file:
            if file.tell() == 0:
                text = f"{JournalHeader(settings_sha256=settings.sha256).model_dump_json()}\n{text}"
            file.write(text.encode())
    except OSError as cause:
        raise OutputError(f"{path}: cannot be written: {cause.strerror or cause}") from cause


def read(path: Path, settings: RunSettings) -> Iterator[JournalLine]:
    """The lines that were made with these settings, up to a damaged one.

    One after the other, since the records of a long list, with their curves, may not fit into
    memory. None if the journal is one of other settings.

    Raises:
        FileNotFoundError: no such journal.
    """
    lines = _whole_lines(path)
    try:
        header = JournalHeader.model_validate_json(next(lines, b""))
        if header.settings_sha256 == settings.sha256:
            yield from map(JournalLine.model_validate_json, lines)
    except ValidationError:
        logger.warning("%s: damaged; what the damage hides is made anew", path)


def mend(path: Path, settings: RunSettings) -> None:
    """Make a journal of an earlier process ready for lines of this one.

    A torn last line is cut off, and so is all from a damaged one on; a journal of other settings,
    or one whose header is damaged, is removed.
    """
    if not path.exists():
        return
    count = sum(1 for _ in read(path, settings))
    if not count:
        path.unlink()
        return
    kept = islice(_whole_lines(path), count + 1)  # with the header
    with path.open("r+b") as file:
        file.truncate(sum(map(len, kept)))


def _whole_lines(path: Path) -> Iterator[bytes]:
    """All lines that end, with their end; what follows the last end of line is torn."""
    with path.open("rb") as file:
        yield from (line for line in file if line.endswith(b"\n"))
