"""Where a container runs, and what it may use there."""

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.container.contracts import GIB, Contract
from pipeline.container.report import Machine
from pipeline.container.running import Limits, gpu_query

STRANGER = 12345
"""Stands for the organiser's user where we are root ourselves, who may write anywhere."""
Info = dict[str, object]
"""What the engine says of itself, `docker info`."""


def limits_for(contract: Contract, info: Info, memory_gib: float | None) -> Limits:
    """What the organiser lets the container use, as far as this machine has it.

    Args:
        contract: whose.
        info: of the engine.
        memory_gib: instead of the organiser's limit.
    """
    wanted = memory_gib or contract.memory_gib
    ids = (os.getuid(), os.getgid()) if os.getuid() else (STRANGER, STRANGER)
    return Limits(
        user=f"{ids[0]}:{ids[1]}" if contract.user == "caller" else None,
        memory_bytes=int(min(wanted * GIB, float(str(info["MemTotal"])))),
        gpu=contract.gpu and _has_gpu(info),
        hardened=contract.hardened,
    )


def differences(contract: Contract, limits: Limits) -> Iterator[str]:
    """In what a run under these limits differs from the organiser's."""
    given = limits.memory_bytes / GIB
    if given < contract.memory_gib:
        yield f"{given:.3g} GiB of memory, the organiser gives {contract.memory_gib} GiB"
    if contract.gpu and not limits.gpu:
        yield "no GPU, the engine has none to give; the organiser gives one"
    if limits.user is None:
        yield "the output folder may be written to by every user, so by the image's own, too"


def describe(info: Info, limits: Limits) -> Machine:
    """The machine of the engine."""
    return Machine(
        processor=_processor(),
        cpus=int(str(info["NCPU"])),
        memory_gib=round(float(str(info["MemTotal"])) / GIB, 1),
        gpu=(gpu_query("name") or "a GPU") if limits.gpu else None,
        engine=f"Docker {info['ServerVersion']}, {info['OperatingSystem']}",
    )


def _has_gpu(info: Info) -> bool:
    runtimes = info.get("Runtimes")
    return isinstance(runtimes, dict) and "nvidia" in runtimes


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return "unknown processor"
