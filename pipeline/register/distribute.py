"""A run whose pairs are registered by the workers of a cluster; the records are kept here."""

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from l2r.console import Advance, progress
from l2r.pairs import Pair, Scan
from pipeline.register.ledger import Ledger
from pipeline.register.outputs import open_ledger
from pipeline.register.remote import (
    Claim,
    NamedPair,
    RemoteRun,
    register_pair,
    settings_here,
    was_made_before,
)
from pipeline.register.request import Job

if TYPE_CHECKING:  # an extra
    from l2r.cluster.workers import Workers


def register_on(
    workers: "Workers", job: Job, run: RemoteRun, *, resume: bool = True
) -> Counter[str]:
    """Register the pairs of a list, one a task.

    Args:
        workers: must see the images and the folder of the fields under the same paths.
        job: the pairs.
        run: what the workers need to know.
        resume: keep what the same run has made before.

    Returns:
        Number of pairs by status, and of those `skipped`.

    Raises:
        ClusterError: the scheduler is gone, or workers are not alike.
        L2RError: a worker could not begin, or the folder cannot be written to.
    """
    settings = workers.first(settings_here, run)
    counts: Counter[str] = Counter()
    with (
        open_ledger(job, run.folder, settings) as ledger,
        progress(len(job.pairs), f"{job.task.name} on workers", time_left=True) as advance,
    ):
        wanted = [(name, _absolute(pair)) for name, pair in job.pairs.items()]
        made = _made_before(workers, run, _claims(ledger, wanted), advance) if resume else set()
        counts["skipped"] += len(made)
        rest = (item for item in wanted if item[0] not in made)
        for outcome in workers.as_finished(partial(register_pair, run, settings), rest):
            line = outcome.line
            ledger.record(line.name, line.pair, line.peak_memory_gib)
            counts[line.pair.status] += 1
            advance(outcome.news)
    return +counts


def _claims(ledger: Ledger, wanted: list[NamedPair]) -> list[Claim]:
    """The pairs that an earlier run has recorded as done."""
    records = ((name, pair, ledger.claimed(name)) for name, pair in wanted)
    return [(name, pair, record) for name, pair, record in records if record is not None]


def _made_before(
    workers: "Workers", run: RemoteRun, claims: list[Claim], advance: Advance
) -> set[str]:
    """Names of the pairs whose images and fields are still those of their records."""
    made: set[str] = set()
    checked = workers.in_order(partial(was_made_before, run), claims)
    for (name, *_), whole in zip(claims, checked, strict=True):
        if whole:
            made.add(name)
            advance(f"{name}: made before, skipped")
    return made


def _absolute(pair: Pair) -> Pair:
    """The pair under paths that mean the same in every folder."""
    return replace(pair, fixed=_absolute_scan(pair.fixed), moving=_absolute_scan(pair.moving))


def _absolute_scan(scan: Scan) -> Scan:
    return replace(scan, path=scan.path.absolute())
