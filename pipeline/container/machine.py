"""The machine of the container engine, and the limits of a run on it."""

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.container.contracts import GIB, Contract
from pipeline.container.docker_run import RunLimits, gpu_query
from pipeline.container.record import MachineRecord

STRANGER = 12345
"""User id in place of the organiser's where we are root, who may write anywhere."""
CONTEXT_GIB = 0.25
"""Memory of a GPU that a program which computes on it takes at least, before any data."""
Info = dict[str, object]
"""The engine's description of itself, `docker info`."""


def limits_for(contract: Contract, info: Info, memory_gib: float | None) -> RunLimits:
    """Compute the organiser's limits, as far as this machine can give as much.

    Args:
        contract: the organiser's.
        info: of the engine.
        memory_gib: instead of the organiser's limit.
    """
    wanted = memory_gib or contract.memory_gib
    ids = (os.getuid(), os.getgid()) if os.getuid() else (STRANGER, STRANGER)
    return RunLimits(
        user=f"{ids[0]}:{ids[1]}" if contract.user == "caller" else None,
        memory_bytes=int(min(wanted * GIB, float(str(info["MemTotal"])))),
        gpu=contract.gpu and _has_gpu(info),
        hardened=contract.hardened,
    )


def differences(contract: Contract, limits: RunLimits) -> Iterator[str]:
    """Yield the differences between a run under these limits and the organiser's."""
    given = limits.memory_bytes / GIB
    if given < contract.memory_gib:
        yield f"{given:.3g} GiB of memory, the organiser gives {contract.memory_gib} GiB"
    if contract.gpu and not limits.gpu:
        yield "no GPU, the engine has none to give; the organiser gives one"
    if limits.user is None:
        yield "the output folder may be written to by every user, so by the image's own, too"


def gpu_notes(limits: RunLimits, device_gib: float | None) -> Iterator[str]:
    """Yield doubts about a GPU that was given.

    Args:
        limits: of the runs.
        device_gib: the largest memory of the GPU in use; None where it could not be measured.
    """
    if not limits.gpu:
        return
    if device_gib is None:
        yield "the GPU's memory was not measured: nvidia-smi is missing here"
    elif device_gib < CONTEXT_GIB:
        yield (
            f"a GPU was given, but {device_gib:.2f} GiB of its memory in use are too little for a "
            "program that computes on it: see what doctor finds in the image"
        )


def describe(info: Info, limits: RunLimits) -> MachineRecord:
    """The machine of the engine."""
    return MachineRecord(
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
