"""The record of a verification: written by `verify`, read by `package`, shown as a table."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from l2r.check import Finding
from l2r.disk import writing
from l2r.errors import ContainerError
from l2r.schema import Frozen, parse, read_json

REPORT = "verified.json"
FIELDS = "fields"
"""Names in the folder that `verify` leaves."""
NOTHING = "-"


class RunRecord(Frozen):
    """One run of the container, as it is recorded."""

    pairs: tuple[str, ...]
    """Names of the fields that it should have written."""
    exit_code: int | None
    """None where it could not be started."""
    seconds: float
    """From start to end."""
    peak_gib: float
    device_gib: float | None
    log: tuple[str, ...]
    """Its last lines."""


class MachineRecord(Frozen):
    """The machine on which the container ran."""

    processor: str
    cpus: int
    memory_gib: float
    gpu: str | None
    """Its name; None where the container had none."""
    engine: str


class Verification(Frozen):
    """The results of a verification."""

    regatta: str
    image: str
    image_id: str
    contract: str
    dataset: str | None
    """None for made-up pairs."""
    listed: int
    """Pairs of the list; those that were run may be fewer."""
    user: str
    memory_gib: float
    """The limit."""
    machine: MachineRecord
    runs: tuple[RunRecord, ...]
    seconds: dict[str, float]
    """Of each pair, by the name of its field."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    """Differences from the organiser's own run."""

    @property
    def problems(self) -> list[Finding]:
        """Findings because of which the organiser would reject the image."""
        return [finding for finding in self.findings if finding.kind == "problem"]

    @property
    def peak_gib(self) -> float:
        """The largest memory of all runs."""
        return max(run.peak_gib for run in self.runs)

    @property
    def device_gib(self) -> float | None:
        """The largest GPU memory of all runs; None without a GPU."""
        return max(
            (run.device_gib for run in self.runs if run.device_gib is not None), default=None
        )


def write_record(path: Path, report: Verification) -> None:
    """Write the record.

    Raises:
        OutputError: it cannot be written.
    """
    with writing(path) as file:
        file.write(report.model_dump_json(indent=2).encode())


def read_record(folder: Path) -> Verification:
    """Read the record of a folder that `verify` left.

    Raises:
        ContainerError: there is none, or it is damaged.
    """
    path = folder / REPORT
    if not path.is_file():
        raise ContainerError(
            f"{path}: no such file; make it with: python -m pipeline container verify IMAGE "
            f"--contract ... --dataset ... --output {folder}"
        )
    return parse(Verification, read_json(path, ContainerError), str(path), ContainerError)


def summary_table(report: Verification) -> Group:
    """Render a row per pair, then the circumstances of the runs and all findings."""
    return Group(_table(report), *map(Text, _lines(report)))


def _table(report: Verification) -> Table:
    table = Table(title=Text(f"{report.image}, {report.contract}"), box=box.SIMPLE_HEAD)
    table.add_column("pair", no_wrap=True)
    for heading in ("seconds", "peak GiB", "GPU GiB", "exit code"):
        table.add_column(heading, justify="right")
    table.add_column("found")
    for run in report.runs:
        of_run = [_number(run.peak_gib), _number(run.device_gib), _code(run)]
        for number, name in enumerate(run.pairs):
            kinds = Counter(finding.kind for finding in report.findings if finding.name == name)
            found = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "good"
            once = ["", "", ""] if number else of_run
            table.add_row(Text(name), _number(report.seconds.get(name)), *once, found)
    return table


def _lines(report: Verification) -> Iterator[str]:
    machine = report.machine
    total = sum(run.seconds for run in report.runs)
    yield (
        f"  {len(report.runs)} run(s), {total:.1f} s, as user {report.user}, "
        f"{report.memory_gib:.3g} GiB at most, {machine.cpus} CPUs, {machine.gpu or 'no GPU'}"
    )
    yield from (f"  note: {note}" for note in report.notes)
    for finding in report.findings:
        yield f"  {finding.kind}: {finding.name}: {finding.text}"
    for run in report.runs:
        if run.exit_code != 0:
            yield from (f"  | {line}" for line in run.log)


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def _code(run: RunRecord) -> str:
    return NOTHING if run.exit_code is None else str(run.exit_code)
