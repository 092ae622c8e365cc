"""The loop over pairs, reading ahead and writing behind.

One thread reads the next pair and one writes the last one while a third computes; where a GPU
computes, which is faster than files are packed, there are several of both. No worker processes, so
no shared memory is needed, and at most three pairs are in memory, or two for each such thread and
one. A pair that fails is recorded, gets a zero field, and does not stop the others.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from l2r.console import Advance
from l2r.disk import sha256
from l2r.errors import L2RError, OutputError
from l2r.machine import peak_memory_gib
from l2r.pairs import Pair
from l2r.prepare import Prepared
from pipeline.register.clock import Budget, Stopwatch
from pipeline.register.export import ExportField
from pipeline.register.improvement import is_unimproved, shortcomings
from pipeline.register.manifest import AffineRecord, PairRecord, PairStatus, hash_inputs
from pipeline.register.records import Predicted
from pipeline.register.stages import Stages, place

logger = logging.getLogger(__name__)


@runtime_checkable
class PairLedger(Protocol):
    """Keeps the records of pairs, and knows those of earlier runs."""

    def is_done(self, name: str, inputs_sha256: str | None) -> bool:
        """True if the file of that name holds the field of these inputs and settings."""

    def record(self, name: str, record: PairRecord, peak_memory_gib: dict[str, float]) -> None:
        """Add or replace the record of a pair."""


@dataclass
class _PairInProgress:
    """One pair on its way through the stages."""

    name: str
    pair: Pair
    watch: Stopwatch = field(default_factory=Stopwatch)
    inputs_sha256: str | None = None
    skip: bool = False
    prepared: Prepared | None = None
    registered: Predicted | None = None
    """With the refined field, still on the device."""
    refined_at: float = 0.0
    error: str | None = None

    @contextmanager
    def recording_failures(self, stage: str) -> Iterator[None]:
        """Time a stage and keep its failure from other pairs; an unusable output concerns all."""
        try:
            with self.watch.measure(stage):
                yield
        except OutputError:
            raise
        except L2RError as error:
            self.error = str(error)
        except Exception as error:  # a defect must not cost the other pairs
            self.error = " ".join(f"{type(error).__name__}: {error}".split())
            logger.exception("%s: a defect of Regatta", self.name)


class RegistrationLoop:
    """Takes pairs through the stages and records each, if there is a ledger."""

    def __init__(
        self,
        stages: Stages,
        export: ExportField,
        *,
        ledger: PairLedger | None = None,
        resume: bool = True,
        time_budget_s: float | None = None,
        file_threads: int = 1,
    ) -> None:
        """`file_threads`: how many read pairs, and how many write fields, at a time."""
        self._stages, self._export = stages, export
        self._ledger, self._resume = ledger, resume
        self._budget = Budget(time_budget_s)
        self._file_threads, self._recording = file_threads, threading.Lock()

    def __call__(self, pairs: Mapping[str, Pair], advance: Advance) -> Counter[str]:
        """Register every pair.

        Args:
            pairs: by the name of the field's file.
            advance: called for each pair that is finished.

        Returns:
            Number of pairs by status, and of those `skipped`.

        Raises:
            OutputError: the folder cannot be written to any more; what it holds is whole.
        """
        counts: Counter[str] = Counter()
        with ThreadPoolExecutor(self._file_threads, "write") as writer:
            writing: deque[Future[str]] = deque()
            for item in self._read_ahead(pairs):
                self._compute(item)
                if len(writing) == self._file_threads:
                    counts[writing.popleft().result()] += 1
                writing.append(writer.submit(self._finish, item, advance))
            for written in writing:
                counts[written.result()] += 1
        return counts

    def _read_ahead(self, pairs: Mapping[str, Pair]) -> Iterator[_PairInProgress]:
        """The pairs in order, each read while the ones before are computed; none is kept."""
        items = (_PairInProgress(name, pair) for name, pair in pairs.items())
        with ThreadPoolExecutor(self._file_threads, "read") as reader:
            coming = deque(reader.submit(self._read, i) for i in islice(items, self._file_threads))
            while coming:
                item = coming.popleft().result()
                coming.extend(
                    reader.submit(self._read, following) for following in islice(items, 1)
                )
                yield item

    def _read(self, item: _PairInProgress) -> _PairInProgress:
        with item.recording_failures("read"):
            item.inputs_sha256 = hash_inputs(item.pair.files(labels=self._stages.labels))
            if self._is_done(item):
                item.skip = True
            else:
                item.prepared = self._stages.prepare(item.pair)
        return item

    def _is_done(self, item: _PairInProgress) -> bool:
        if self._ledger is None or not self._resume:
            return False
        return self._ledger.is_done(item.name, item.inputs_sha256)

    def _compute(self, item: _PairInProgress) -> None:
        if item.prepared is None:
            return
        deadline = self._budget.deadline(item.watch.total)
        predicted = None
        with item.recording_failures("predict"):
            predicted = self._stages.predict(item.prepared, deadline)
            _wait_for(predicted.field.device)  # its time and its errors are this stage's
        if predicted is not None:
            with item.recording_failures("refine"):
                refined = self._stages.refine(predicted, deadline)
                _wait_for(refined.field.device)
                item.registered = refined
        item.refined_at = min(time.monotonic(), deadline or float("inf"))

    def _finish(self, item: _PairInProgress, advance: Advance) -> str:
        """Write the field, or the zero field, and record it; the outcome in one word."""
        path = None if item.skip else self._written(item)
        with self._recording:  # one at a time: the journal grows by whole lines
            if item.skip:
                advance(f"{item.name}: made before, skipped")
                return "skipped"
            if path is None:
                path = self._export.zero(item.name, item.pair)
            else:
                self._budget.note_end(item.refined_at)
            record = self._record(item, path)
            if self._ledger is not None:
                self._ledger.record(item.name, record, _peak_memory_gib())
            advance(_news(item, record))
        return record.status

    def _written(self, item: _PairInProgress) -> Path | None:
        path: Path | None = None
        if item.registered is not None:
            with item.recording_failures("write"):
                field = place(item.registered)
                path = self._export(item.name, field, item.registered.prepared.affine)
        return path

    def _record(self, item: _PairInProgress, path: Path | None) -> PairRecord:
        registered, status = item.registered, _status(item, path)
        warnings = item.prepared.warnings if item.prepared else ()
        if registered is not None:
            warnings = (*warnings, *registered.warnings, *shortcomings(registered))
        return PairRecord(
            status=status,
            fixed=str(item.pair.fixed.relative),
            moving=str(item.pair.moving.relative),
            inputs_sha256=item.inputs_sha256,
            field_sha256=sha256(path) if path else None,
            error=item.error,
            warnings=warnings,
            affine=_affine_record(item.prepared),
            refinements=registered.refinements if registered else (),
            estimate=registered.estimate if registered else None,
            over_budget=self._budget.is_exceeded(item.watch.total),
            seconds=item.watch.seconds,
        )


def _affine_record(prepared: Prepared | None) -> AffineRecord | None:
    found = prepared and prepared.alignment
    if not found:
        return None
    rows = tuple(map(tuple, found.matrix.round(6).tolist()))
    return AffineRecord(
        matrix=rows,
        quality=round(found.quality, 4),
        quality_before=round(found.quality_before, 4),
    )


def _wait_for(device: torch.device) -> None:
    """Wait until all that was begun on a GPU is done; a processor is never ahead of its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _status(item: _PairInProgress, path: Path | None) -> PairStatus:
    if path is None:
        return "failed"
    if item.error or item.registered is None:
        return "fallback"
    return "unimproved" if is_unimproved(item.registered) else "done"


def _news(item: _PairInProgress, record: PairRecord) -> str:
    if record.status in {"failed", "fallback"}:
        outcome = "zero field written" if record.status == "fallback" else "no field written"
        return f"{item.name}: FAILED, {outcome}: {item.error}"
    late = ["later than the time budget"] if record.over_budget else []
    return "; ".join([f"{item.name}: {item.watch.total:.1f} s", *late, *record.warnings])


def _peak_memory_gib() -> dict[str, float]:
    peak = {"host": peak_memory_gib()}
    if torch.cuda.is_available():
        peak["device"] = torch.cuda.max_memory_allocated() / 2**30
    return {where: round(size, 3) for where, size in peak.items()}
