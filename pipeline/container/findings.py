"""What an organiser would find wrong with a run of a container and with what it wrote."""

from collections.abc import Iterator

from l2r.check import Finding, check_submission
from l2r.console import progress
from l2r.errors import DatasetError
from l2r.schema import Tolerant, parse, read_json
from l2r.submission import MANIFEST
from l2r.task import load_task
from pipeline.container.contracts import GIB
from pipeline.container.jobs import Job, others, submission
from pipeline.container.order import Order
from pipeline.container.running import Limits, Ran

OFFLINE = ("name resolution", "name or service not known", "network is unreachable")
"""What programs say, in small letters, where they expected a network."""
SHOWN = 3
"""Files that a finding names."""


def of_run(job: Job, ran: Ran, limits: Limits) -> Iterator[Finding]:
    """What is wrong with how a container ran, whatever it wrote."""
    about = job.pairs[0] if len(job.pairs) == 1 else "container"
    last = ran.log[-1] if ran.log else "it said nothing"
    if ran.exit_code is None:
        yield Finding(about, f"could not be started: {last}")
    elif ran.killed_for_memory:
        yield Finding(about, f"killed: it needs more than {limits.memory_bytes / GIB:.3g} GiB")
    elif ran.exit_code != 0:
        yield Finding(about, f"exit code {ran.exit_code}: {last}")
    if any(sign in line.lower() for sign in OFFLINE for line in ran.log):
        yield Finding(about, "looks for a network, and there is none; put all it needs inside")
    if ran.written:
        yield Finding(
            about, f"wrote outside of its output: {_some(ran.written)}; write to /tmp instead"
        )


def of_fields(order: Order) -> Iterator[Finding]:
    """What `check` says of the fields, and files that nobody asked for."""
    task = load_task(order.contract.task)
    with progress(len(order.pairs), "check") as advance:
        for name, findings in check_submission(submission(order), task, order.pairs):
            yield from findings
            advance(f"{name}: {'; '.join(finding.text for finding in findings) or 'good'}")
    extra = others(order)
    if extra:
        yield Finding("other files", f"{_some(extra)}: no socket asks for them; remove them")


def seconds_per_pair(order: Order, job: Job, ran: Ran) -> dict[str, float]:
    """Wall time of each pair: as the manifest has it, else an equal part of the run's."""
    path = order.output / MANIFEST
    if len(job.pairs) > 1 and path.is_file():
        manifest = parse(_Manifest, read_json(path, DatasetError), str(path), DatasetError)
        if set(manifest.pairs) >= set(job.pairs):
            return {name: round(manifest.pairs[name].total, 2) for name in job.pairs}
    return dict.fromkeys(job.pairs, round(ran.seconds / len(job.pairs), 2))


class _Entry(Tolerant):
    seconds: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


class _Manifest(Tolerant):
    pairs: dict[str, _Entry]


def _some(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
