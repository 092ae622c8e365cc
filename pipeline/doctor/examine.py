"""All checks, one after the other, and the table of what they found."""

import re
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from l2r.console import progress
from l2r.errors import ConfigError, L2RError
from l2r.mounts import all_mounts
from pipeline.doctor.gpu import check_gpu
from pipeline.doctor.inputs import check_mounts, check_versions, check_weights
from pipeline.doctor.limits import check_cores, check_memory
from pipeline.doctor.places import check_disk, check_output, check_temporary
from pipeline.doctor.record import Check, CheckResult, Plan
from pipeline.doctor.trial_run import check_registration

CHECKS: dict[str, Check] = {
    "versions": check_versions,
    "GPU": check_gpu,
    "memory": check_memory,
    "cores": check_cores,
    "output": check_output,
    "disk": check_disk,
    "temporary": check_temporary,
    "weights": check_weights,
    "mounts": check_mounts,
    "registration": check_registration,
}
"""In the order of the table; what takes long comes last."""
STYLES = {"good": "green", "warning": "yellow", "blocker": "bold red"}
_PIPED_WIDTH = 1000
"""Characters; a table only takes what it needs, and no line of a log should be broken."""


def plan_for(output: Path | None, device: str) -> Plan:
    """The run that a user means.

    Args:
        output: folder of the fields; else where the challenge mounts it, else ./output.
        device: `auto`, `cpu`, `cuda` or `cuda:n`.

    Raises:
        ConfigError: no such kind of device.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise ConfigError(f"--device {device}: no such device; give auto, cpu, cuda or cuda:n")
    found = all_mounts()
    mounts = found[0] if len(found) == 1 else None
    usual = mounts.output if mounts else Path("output")
    return Plan(device, output or usual, mounts, expected=output is not None or bool(mounts))


def examine(plan: Plan) -> dict[str, CheckResult]:
    """Do every check, with a line or a bar of progress on stderr."""
    records = {}
    with progress(len(CHECKS), "doctor") as advance:
        for name, check in CHECKS.items():
            records[name] = _attempt(check, plan)
            advance(f"{name}: {records[name].status}")
    return records


def show(records: dict[str, CheckResult]) -> None:
    """Print the table and how many rows are not good; plain and unbroken where it is piped."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("check", "status"):
        table.add_column(heading, no_wrap=True)
    for heading in ("found", "what to do"):
        table.add_column(heading, overflow="fold")
    for name, record in records.items():
        status = Text(record.status, STYLES[record.status])
        table.add_row(Text(name), status, Text(record.found), Text(record.advice))
    console.print(table)
    counts = [(kind, _count(records, kind)) for kind in ("blocker", "warning")]
    told = ", ".join(f"{n or 'no'} {kind}{'s' * (n != 1)}" for kind, n in counts)
    console.print(told, highlight=False)


def blocked(records: dict[str, CheckResult]) -> bool:
    """Tell if a run would fail."""
    return _count(records, "blocker") > 0


def _count(records: dict[str, CheckResult], status: str) -> int:
    return sum(record.status == status for record in records.values())


def _attempt(check: Check, plan: Plan) -> CheckResult:
    """A check that cannot be done has found something too."""
    try:
        return check(plan)
    except (L2RError, OSError, ImportError) as error:
        first = str(error).partition("\n")[0] or type(error).__name__
        return CheckResult("blocker", "could not be checked", first)
