"""The records of a folder of fields, from which a run that was killed can go on.

A field counts as made only if it is recorded as done for the same settings and inputs, and if its
content has the recorded hash. During a run each pair is a line of `manifest.jsonl`; at its end, and
where it is interrupted, `manifest.json` is made of these lines and of what it held before.

The shards of an array job write into one folder at the same time, so each has a journal of its own,
`manifest.2-of-8.jsonl`. Every run believes all of them, and the last one to finish puts them into
`manifest.json`.
"""

import logging
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from l2r.disk import sha256
from l2r.errors import OutputError
from l2r.submission import JOURNALS, MANIFEST
from pipeline.register import journal
from pipeline.register.journal import JournalLine
from pipeline.register.manifest import PairRecord, RunSettings
from pipeline.register.manifest_file import read_texts, write_manifest

logger = logging.getLogger(__name__)
WHOLE = "manifest.jsonl"
"""The journal of a run without shards."""


@dataclass(frozen=True, slots=True)
class DoneField:
    """Hashes by which a field that is recorded as done is known again."""

    inputs_sha256: str | None
    field_sha256: str | None

    def is_in(self, path: Path, inputs_sha256: str | None) -> bool:
        """True if a file holds it, and it was made of these inputs."""
        if self.inputs_sha256 != inputs_sha256:
            return False
        return path.is_file() and sha256(path) == self.field_sha256


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
        self._done = _done(folder, settings)

    def is_done(self, name: str, inputs_sha256: str | None) -> bool:
        """True if the file of that name holds the field of these inputs and settings."""
        done = self._done.get(name)
        return done is not None and done.is_in(self._folder / name, inputs_sha256)

    def claimed(self, name: str) -> DoneField | None:
        """The field that was done for the same settings, if its file is still that."""
        return self._done.get(name)

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
        texts, peaks = dict[str, str](), dict[str, float]()
        for line in _lines(self._folder, self._settings):
            texts[line.name] = line.pair.model_dump_json()
            for where, size in line.peak_memory_gib.items():
                peaks[where] = max(size, peaks.get(where, 0.0))
        alone = journals == [self._folder / WHOLE]
        if not alone and not texts.keys() >= set(self._names):
            return
        write_manifest(self._folder / MANIFEST, self._settings, texts, peaks)
        for each in journals:
            each.unlink(missing_ok=True)


def _done(folder: Path, settings: RunSettings) -> dict[str, DoneField]:
    """The fields that the folder's records call done, by name."""
    done: dict[str, DoneField] = {}
    for line in _lines(folder, settings):
        done.pop(line.name, None)
        if line.pair.status == "done":
            done[line.name] = DoneField(line.pair.inputs_sha256, line.pair.field_sha256)
    return done


def _lines(folder: Path, settings: RunSettings) -> Iterator[JournalLine]:
    """The records in the folder that were made with these settings; of a pair the latest last."""
    found: list[tuple[int, Path]] = []
    for path in (folder / MANIFEST, *folder.glob(JOURNALS)):
        with suppress(FileNotFoundError):  # another shard has just put it into the manifest
            found.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(found):
        read = _in_manifest if path.name == MANIFEST else journal.read
        with suppress(FileNotFoundError):
            yield from read(path, settings)


def _in_manifest(path: Path, settings: RunSettings) -> Iterator[JournalLine]:
    texts = read_texts(path)
    if texts is None or texts.settings.sha256 != settings.sha256:
        return
    try:
        for name, text in texts.pairs.items():
            pair = PairRecord.model_validate_json(text)
            yield JournalLine(name=name, pair=pair, peak_memory_gib=texts.peak_memory_gib)
    except ValidationError:
        logger.warning("%s: damaged; what the damage hides is made anew", path)
