"""The append-only record of a run that goes on: one line a pair.

A line is appended in one write when the pair's field is on the disk. A process that is killed
leaves at most a torn last line, which is ignored; a machine that loses power may lose the last
lines, which costs their pairs once more. So nothing is synchronised with the disk per pair, and a
pair costs the same in a list of ten thousand as in one of ten.
"""

import logging
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


def read(path: Path, settings: RunSettings) -> list[JournalLine]:
    """The lines that were made with these settings; none if the journal is one of others.

    Raises:
        FileNotFoundError: no such journal.
    """
    header, *lines = _whole_lines(path) or [b""]
    try:
        if JournalHeader.model_validate_json(header).settings_sha256 != settings.sha256:
            return []
        return [JournalLine.model_validate_json(line) for line in lines]
    except ValidationError:
        logger.warning("%s: damaged; it is ignored and written anew", path)
        return []


def mend(path: Path, settings: RunSettings) -> None:
    """Make a journal of an earlier process ready for lines of this one.

    A torn last line is cut off, and a journal of other settings, or a damaged one, is removed.
    """
    if not path.exists():
        return
    if not read(path, settings):
        path.unlink()
        return
    with path.open("r+b") as file:
        file.truncate(sum(len(line) + 1 for line in _whole_lines(path)))


def _whole_lines(path: Path) -> list[bytes]:
    """All lines that end; what follows the last end of line is torn."""
    return path.read_bytes().split(b"\n")[:-1]
