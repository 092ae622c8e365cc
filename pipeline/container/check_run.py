"""Checks of a finished run, as an organiser would make them: exit code, log, files, fields."""

from collections.abc import Iterator

from l2r.check import Finding, check_submission
from l2r.console import progress
from l2r.errors import DatasetError
from l2r.schema import Tolerant, parse, read_json
from l2r.submission import MANIFEST
from l2r.task import load_task
from pipeline.container.contracts import GIB
from pipeline.container.docker_run import RunLimits, RunOutcome
from pipeline.container.inputs import VerificationInputs
from pipeline.container.runs import PlannedRun, submission, unexpected_files

OFFLINE = ("name resolution", "name or service not known", "network is unreachable")
"""Parts of error messages, in small letters, of programs that expected a network."""
SHOWN = 3
"""Most files that one finding names."""


def check_run(job: PlannedRun, ran: RunOutcome, limits: RunLimits) -> Iterator[Finding]:
    """Yield the faults of a run itself, whatever fields it wrote."""
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


def check_fields(inputs: VerificationInputs) -> Iterator[Finding]:
    """Yield the findings of `check` about the fields, and unexpected files."""
    task = load_task(inputs.contract.task)
    with progress(len(inputs.pairs), "check") as advance:
        for name, findings in check_submission(submission(inputs), task, inputs.pairs):
            yield from findings
            advance(f"{name}: {'; '.join(finding.text for finding in findings) or 'good'}")
    extra = unexpected_files(inputs)
    if extra:
        yield Finding("other files", f"{_some(extra)}: no socket asks for them; remove them")


def seconds_per_pair(
    inputs: VerificationInputs, job: PlannedRun, ran: RunOutcome
) -> dict[str, float]:
    """Wall time of each pair: as the manifest has it, else an equal part of the run's."""
    path = inputs.output / MANIFEST
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
