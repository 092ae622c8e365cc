"""Checks of memory and cores that this process may use, whoever limits them."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from l2r.machine import usable_cores
from pipeline.doctor.record import GIB, CheckResult, Plan, gib

ROOT = Path("/")
NEEDED = int(2.1 * GIB)
"""Peak of the default run file on LUMIR's grid, 2.00 GiB: `python -m benchmarks.end_to_end`."""
UNLIMITED = 2**60
"""Bytes from which on the first version of control groups means that there is no limit."""


def check_memory(_: Plan) -> CheckResult:
    """Compare what there is with what the default run file needs."""
    total, available = _machine()
    limits = {"the machine": total} | _limits()
    who = min(limits, key=lambda name: limits[name])
    found = f"{gib(available)} available, at most {gib(limits[who])} by {who}"
    if limits[who] < NEEDED:
        return CheckResult(
            "blocker",
            found,
            f"the default run file needs {gib(NEEDED)} on LUMIR's grid: raise the limit "
            "(docker run --memory, sbatch --mem), or take configs/any_fast.toml",
        )
    if available < NEEDED:
        return CheckResult("warning", found, f"{gib(NEEDED)} are needed: end other programs first")
    return CheckResult("good", found)


def check_cores(_: Plan) -> CheckResult:
    """Compare the cores that are allowed with the threads that torch would start."""
    import torch  # noqa: PLC0415 - loaded by the checks that need it

    allowed, quota, threads = usable_cores(), cpu_quota(), torch.get_num_threads()
    usable = min(allowed, quota or allowed)
    found = f"{usable:g} of {os.cpu_count()} cores allowed, torch takes {threads} threads"
    if threads >= usable + 1:
        return CheckResult(
            "warning",
            found,
            f"threads without a core slow the others: set OMP_NUM_THREADS={max(1, int(usable))}",
        )
    return CheckResult("good", found)


def memory_limit(root: Path = ROOT) -> int | None:
    """Bytes that the control groups of this process allow, of either version."""
    names = ("memory.max", "memory.limit_in_bytes")
    found = [_number(group / name) for group in _groups(root, "memory") for name in names]
    limits = [limit for limit in found if limit is not None and limit < UNLIMITED]
    return min(limits, default=None)


def cpu_quota(root: Path = ROOT) -> float | None:
    """Cores' worth of time that the control groups allow, of either version."""
    quotas = []
    for group in _groups(root, "cpu"):
        words = _text(group / "cpu.max").split()
        if len(words) != 2:
            words = [_text(group / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if all(word.isdecimal() for word in words):  # "max" and "-1": no limit
            quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def _limits() -> dict[str, int]:
    found = {
        "a control group (container or batch job)": memory_limit(),
        "ulimit -v": resource.getrlimit(resource.RLIMIT_AS)[0],
    }
    return {
        who: limit
        for who, limit in found.items()
        if limit is not None and limit != resource.RLIM_INFINITY
    }


def _machine() -> tuple[int, int]:
    """Bytes of memory in all, and those that programs could have now."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    sizes = {words[0]: int(words[1]) * 1024 for words in lines}
    return sizes["MemTotal:"], sizes["MemAvailable:"]


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control groups, and of those around them."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for mount in {controllers, controller} if controllers else {"", "unified"}:
            # A container may see its group as the root, whatever the path says.
            for level in (PurePosixPath(path), *PurePosixPath(path).parents):
                yield root / "sys/fs/cgroup" / mount / level.relative_to("/")


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None
