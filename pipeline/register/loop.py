"""The run: every pair through every stage, reading ahead and writing behind.

Two threads stand beside the computation: one reads the next pair, one writes the last one. There
are no worker processes, so no shared memory is needed, and at most three pairs are in memory. A
pair that fails is recorded, gets a zero field, and does not stop the others.
"""

import logging
import resource
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from l2r.arrays import Shape
from l2r.console import Advance
from l2r.dataset import Pair
from l2r.disk import sha256
from l2r.errors import ImageError, L2RError, OutputError
from l2r.field import zero_field
from l2r.formats.nifti import grid_shape
from l2r.prepare import Prepared
from l2r.submission import as_stored
from l2r.task import FieldRule
from pipeline.register.build import Stages
from pipeline.register.clock import Budget, Stopwatch
from pipeline.register.export import write_stored
from pipeline.register.manifest import Entry, Ledger, hash_inputs
from pipeline.register.stage import Predicted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What a run is to do."""

    pairs: dict[str, Pair]
    """By the name of the field's file."""
    folder: Path
    shape: Shape | None
    """Of every image, where the task fixes it."""
    rule: FieldRule = field(default_factory=lambda: FieldRule(names="stem"))
    """How a zero field is written, as the stages write theirs."""
    seed: int = 0
    resume: bool = True
    time_budget_s: float | None = None
    labels: bool = False
    """Whether label maps decide fields too."""


@dataclass
class _Work:
    """One pair on its way through the stages."""

    name: str
    pair: Pair
    watch: Stopwatch = field(default_factory=Stopwatch)
    inputs_sha256: str | None = None
    skip: bool = False
    prepared: Prepared | None = None
    predicted: Predicted | None = None
    refined_at: float = 0.0
    error: str | None = None


class Run:
    """One job, done by `stages`, recorded in `ledger` if there is one."""

    def __init__(self, job: Job, stages: Stages, ledger: Ledger | None) -> None:
        self._job, self._stages, self._ledger = job, stages, ledger
        self._budget = Budget(job.time_budget_s)

    def __call__(self, advance: Advance) -> Counter[str]:
        """Register every pair.

        Args:
            advance: is told of each pair that is finished.

        Returns:
            How many pairs are `done`, `skipped`, a `fallback` or `failed`.

        Raises:
            OutputError: the folder cannot be written to any more; what it holds is whole.
        """
        counts: Counter[str] = Counter()
        with ThreadPoolExecutor(1, "write") as writer:
            writing: Future[str] | None = None
            for work in self._read_ahead():
                if not work.skip:
                    self._compute(work)
                if writing is not None:
                    counts[writing.result()] += 1
                writing = writer.submit(self._finish, work, advance)
            if writing is not None:
                counts[writing.result()] += 1
        return counts

    def _read_ahead(self) -> Iterator[_Work]:
        """The pairs in order, each read while the one before is computed; none is kept."""
        works = (_Work(name, pair) for name, pair in self._job.pairs.items())
        with ThreadPoolExecutor(1, "read") as reader:
            coming = reader.submit(self._read, next(works))
            for following in works:
                work, coming = coming.result(), reader.submit(self._read, following)
                yield work
            yield coming.result()

    def _read(self, work: _Work) -> _Work:
        with work.watch.measure("read"), _failures(work):
            work.inputs_sha256 = hash_inputs(work.pair.files(labels=self._job.labels))
            if self._is_done(work):
                work.skip = True
            else:
                work.prepared = self._stages.preprocess(work.pair)
        return work

    def _is_done(self, work: _Work) -> bool:
        if self._ledger is None or not self._job.resume:
            return False
        return self._ledger.is_done(work.name, work.inputs_sha256)

    def _compute(self, work: _Work) -> None:
        if work.prepared is None:
            return
        torch.manual_seed(self._job.seed)
        deadline = self._budget.deadline(work.watch.total)
        with _failures(work):
            with work.watch.measure("predict"):
                predicted = self._stages.predict(work.prepared)
                predicted = replace(predicted, deadline=deadline)
            with work.watch.measure("refine"):
                for refine in self._stages.refine:
                    predicted = refine(predicted)
            work.predicted = predicted
        work.refined_at = min(time.monotonic(), deadline or float("inf"))

    def _finish(self, work: _Work, advance: Advance) -> str:
        """Write the field, or the zero field, and record it; the outcome in one word."""
        if work.skip:
            advance(f"{work.name}: made before, skipped")
            return "skipped"
        path: Path | None = None
        if work.predicted is not None:
            with work.watch.measure("write"), _failures(work):
                path = self._stages.export(work.predicted)
        made = path is not None
        entry = self._entry(work, path or self._write_zero(work))
        if made:
            self._budget.slowest_end = max(
                self._budget.slowest_end, time.monotonic() - work.refined_at
            )
        if self._ledger is not None:
            self._ledger.record(work.name, entry, _peak_memory_gib())
        advance(_news(work, entry))
        return entry.status

    def _write_zero(self, work: _Work) -> Path | None:
        shape = self._job.shape or _shape_or_none(work.pair.fixed.path)
        if shape is None:
            return None
        path, rule = self._job.folder / work.name, self._job.rule
        write_stored(path, as_stored(zero_field(shape), rule), rule, np.eye(4))
        return path

    def _entry(self, work: _Work, path: Path | None) -> Entry:
        budget = self._job.time_budget_s
        log = work.predicted.log if work.predicted else ()
        warnings = work.prepared.warnings if work.prepared else ()
        if work.predicted:
            warnings += work.predicted.warnings
        return Entry(
            status="failed" if path is None else "fallback" if work.error else "done",
            fixed=str(work.pair.fixed.relative),
            moving=str(work.pair.moving.relative),
            inputs_sha256=work.inputs_sha256,
            field_sha256=sha256(path) if path else None,
            error=work.error,
            warnings=warnings,
            refinements=tuple(dict(entry) for entry in log),
            over_budget=budget is not None and work.watch.total > budget,
            seconds=work.watch.seconds,
        )


class _failures:  # noqa: N801 - reads as a statement: with _failures(work)
    """Keep a pair's failure from the others; a full or vanished output folder concerns all."""

    def __init__(self, work: _Work) -> None:
        self._work = work

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if error is None or isinstance(error, OutputError) or not isinstance(error, Exception):
            return False
        if isinstance(error, L2RError):
            self._work.error = str(error)
        else:
            self._work.error = " ".join(f"{type(error).__name__}: {error}".split())
            logger.error("%s: a defect of Regatta", self._work.name, exc_info=error)
        return True


def _shape_or_none(path: Path) -> Shape | None:
    try:
        return grid_shape(path)
    except ImageError:
        return None


def _news(work: _Work, entry: Entry) -> str:
    if entry.status != "done":
        outcome = "zero field written" if entry.status == "fallback" else "no field written"
        return f"{work.name}: FAILED, {outcome}: {work.error}"
    late = ["later than the time budget"] if entry.over_budget else []
    return "; ".join([f"{work.name}: {work.watch.total:.1f} s", *late, *entry.warnings])


def _peak_memory_gib() -> dict[str, float]:
    peak = {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}
    if torch.cuda.is_available():
        peak["device"] = torch.cuda.max_memory_allocated() / 2**30
    return {where: round(size, 3) for where, size in peak.items()}
