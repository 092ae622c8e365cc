"""The records of a folder of fields, from which a run that was killed can go on.

A field counts as made only if it is recorded as done for the same settings and inputs, and if its
content has the recorded hash. During a run each pair is a line of `manifest.jsonl`; at its end, and
where it is interrupted, `manifest.json` is made of these lines and of what it held before.

The shards of an array job write into one folder at the same time, so each has a journal of its own,
`manifest.2-of-8.jsonl`. Every run believes all of them, and the last one to finish puts them into
`manifest.json`.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from l2r.disk import sha256
from l2r.errors import OutputError
from l2r.submission import JOURNALS, MANIFEST
from pipeline.register import journal
from pipeline.register.journal import JournalLine
from pipeline.register.manifest import (
    PairRecord,
    RunSettings,
    read_manifest,
    write_manifest,
)

WHOLE = "manifest.jsonl"
"""The journal of a run without shards."""


@dataclass
class _Known:
    """The records of one or of many files."""

    pairs: dict[str, PairRecord] = field(default_factory=dict)
    peak_memory_gib: dict[str, float] = field(default_factory=dict)

    def add(self, pairs: Mapping[str, PairRecord], peak_memory_gib: Mapping[str, float]) -> None:
        """Take over records; the largest memory counts."""
        self.pairs |= pairs
        for where, size in peak_memory_gib.items():
            self.peak_memory_gib[where] = max(size, self.peak_memory_gib.get(where, 0.0))


class Ledger:
    """The record of an output folder while a run goes on; leaving its block makes the manifest."""

    def __init__(
        self, folder: Path, settings: RunSettings, journal_name: str, names: Collection[str]
    ) -> None:
        """Take over what earlier runs with the same settings have recorded.

        Args:
            folder: of the fields.
            settings: of this run.
            journal_name: of the file that this run appends to.
            names: the fields that must be recorded before shards' journals become the manifest.
        """
        self._folder, self._settings, self._names = folder, settings, names
        self._journal = folder / journal_name
        journal.mend(self._journal, settings)
        self._known = _known(folder, settings).pairs

    def is_done(self, name: str, inputs_sha256: str | None) -> bool:
        """True if the file of that name holds the field of these inputs and settings."""
        record = self._known.get(name)
        return record is not None and is_made(self._folder / name, record, inputs_sha256)

    def claimed(self, name: str) -> PairRecord | None:
        """The record of a field that was done for the same settings, if its file is still that."""
        record = self._known.get(name)
        return record if record is not None and record.status == "done" else None

    def record(self, name: str, record: PairRecord, peak_memory_gib: dict[str, float]) -> None:
        """Add or replace the record of a pair, on the disk too.

        Raises:
            OutputError: the journal cannot be written.
        """
        line = JournalLine(name=name, pair=record, peak_memory_gib=peak_memory_gib)
        journal.append(self._journal, self._settings, line)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        if error is None:
            self._conclude()
        else:  # whatever cannot be written now stays in the journal
            with suppress(OutputError):
                self._conclude()

    def _conclude(self) -> None:
        """Make the manifest of all journals, if together they speak of all fields."""
        journals = list(self._folder.glob(JOURNALS))
        if not journals:
            return
        known = _known(self._folder, self._settings)
        alone = journals == [self._folder / WHOLE]
        if not alone and not known.pairs.keys() >= set(self._names):
            return
        path = self._folder / MANIFEST
        write_manifest(path, self._settings, known.pairs, known.peak_memory_gib)
        for each in journals:
            each.unlink(missing_ok=True)


def is_made(path: Path, record: PairRecord, inputs_sha256: str | None) -> bool:
    """True if a file is the field that a record of these inputs speaks of."""
    if record.status != "done" or record.inputs_sha256 != inputs_sha256:
        return False
    return path.is_file() and sha256(path) == record.field_sha256


def _known(folder: Path, settings: RunSettings) -> _Known:
    """All records in the folder that were made with these settings; the latest counts."""
    found: list[tuple[int, Path]] = []
    for path in (folder / MANIFEST, *folder.glob(JOURNALS)):
        with suppress(FileNotFoundError):  # another shard has just put it into the manifest
            found.append((path.stat().st_mtime_ns, path))
    known = _Known()
    for _, path in sorted(found):
        with suppress(FileNotFoundError):
            _add(known, path, settings)
    return known


def _add(known: _Known, path: Path, settings: RunSettings) -> None:
    if path.name != MANIFEST:
        for line in journal.read(path, settings):
            known.add({line.name: line.pair}, line.peak_memory_gib)
        return
    manifest = read_manifest(path)
    if manifest and manifest.settings.sha256 == settings.sha256:
        known.add(manifest.pairs, manifest.peak_memory_gib)
