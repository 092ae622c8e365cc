"""One run of a container: started as an organiser starts it, watched, and removed."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

import docker
from docker.errors import APIError
from docker.models.containers import Container
from docker.types import DeviceRequest, Mount
from pydantic import Field

from l2r.errors import ContainerError
from l2r.schema import Tolerant
from pipeline.container.contracts import GIB
from pipeline.container.engine import explained

EVERY_S = 0.25
"""Seconds between looks at the memory."""
TAIL = 12
"""Last lines of the log that are kept."""
PROCESSES = 128
"""That a platform allows."""
SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - of the container
"""Where a container may write beside its output."""
DRIVER = ("/usr", "/etc", "/run", "/dev", "/lib", "/lib64", "/firmware")
"""Where the engine puts the driver of a GPU; only root could write there."""
_UNSTARTABLE = (
    "exec:",
    "no command specified",
    "unable to find user",
    "no such file or directory:",
)


@dataclass(frozen=True)
class BindMount:
    """A file or folder of this machine, where the container sees it."""

    source: Path
    target: PurePosixPath
    writable: bool = False


@dataclass(frozen=True)
class RunLimits:
    """Limits on user, memory, GPU and privileges of a container."""

    user: str | None
    """`uid:gid`; None for the image's own."""
    memory_bytes: int
    gpu: bool
    hardened: bool


@dataclass(frozen=True)
class RunOutcome:
    """Exit code, duration, peak memory and log of a finished run."""

    exit_code: int | None
    """None where it could not even be started."""
    seconds: float
    peak_gib: float
    """Of memory, as `docker stats` counts it, looked at four times a second at most."""
    device_gib: float | None
    """Of the GPU's memory; None where there is no GPU."""
    log: tuple[str, ...]
    """The last lines."""
    killed_for_memory: bool = False
    written: tuple[str, ...] = ()
    """Files that it wrote into its own file system, scratch folders aside."""


def run_container(
    client: docker.DockerClient,
    image: str,
    arguments: tuple[str, ...],
    places: tuple[BindMount, ...],
    limits: RunLimits,
    on_poll: Callable[[], None],
) -> RunOutcome:
    """Run a container to its end and remove it.

    Args:
        client: the engine.
        image: its name.
        arguments: of its entry point.
        places: mounts.
        limits: on memory, user and devices.
        on_poll: called repeatedly while it runs.

    Raises:
        ContainerError: the engine cannot do what is asked for; a faulty image is no error.
    """
    container = None
    try:
        container = client.containers.create(image, list(arguments), **_settings(places, limits))
        container.start()
        with _removable():
            peaks = _watched(container, limits, on_poll)
        return _ended(container, places, limits, peaks)
    except APIError as cause:
        if any(sign in explained(cause).lower() for sign in _UNSTARTABLE):
            return RunOutcome(None, 0.0, 0.0, None, (explained(cause),))
        raise ContainerError(f"{image}: cannot be run: {explained(cause)}") from None
    finally:
        if container is not None:
            container.remove(force=True, v=True)


@contextmanager
def _removable() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does, which leaves time to remove the container."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _settings(places: tuple[BindMount, ...], limits: RunLimits) -> dict[str, object]:
    """The flags of `docker run`."""
    mounts = [
        Mount(str(p.target), str(p.source.resolve()), type="bind", read_only=not p.writable)
        for p in places
    ]
    common: dict[str, object] = {
        "network_mode": "none",
        "mem_limit": limits.memory_bytes,
        "user": limits.user,
    }
    if limits.gpu:
        common["device_requests"] = [DeviceRequest(device_ids=["0"], capabilities=[["gpu"]])]
    if not limits.hardened:
        return {**common, "mounts": mounts, "ipc_mode": "host"}
    return {
        **common,
        "mounts": [*mounts, Mount("/tmp", None, type="volume")],  # noqa: S108 - its own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": PROCESSES,
    }


def _watched(
    container: Container, limits: RunLimits, on_poll: Callable[[], None]
) -> tuple[int, float | None]:
    """Wait for the end; the largest memory seen, in bytes, and the GPU's, in GiB."""
    peak, device = 0, None
    while True:
        container.reload()
        if container.status not in {"created", "running"}:
            return peak, device
        peak = max(peak, _memory(container))
        if limits.gpu and (used := _device_gib()) is not None:
            device = max(device or 0.0, used)
        on_poll()
        time.sleep(EVERY_S)


def _ended(
    container: Container,
    places: tuple[BindMount, ...],
    limits: RunLimits,
    peaks: tuple[int, float | None],
) -> RunOutcome:
    peak, device = peaks
    state = container.attrs["State"]
    return RunOutcome(
        exit_code=state["ExitCode"],
        seconds=seconds_of(state),
        peak_gib=round(peak / GIB, 3),
        device_gib=None if device is None else round(device, 3),
        log=_tail(container),
        killed_for_memory=bool(state["OOMKilled"]),
        written=tuple(unexpected_writes(container.diff() or (), places, gpu=limits.gpu)),
    )


class _Memory(Tolerant):
    usage: int = 0
    stats: dict[str, int] = Field(default_factory=dict)

    @property
    def used(self) -> int:
        """Bytes as `docker stats` counts them: without cached files that nobody uses."""
        # The first name is that of the first version of control groups.
        idle = self.stats.get("total_inactive_file", self.stats.get("inactive_file", 0))
        return max(0, self.usage - idle)


def _memory(container: Container) -> int:
    """Bytes in use; none where the container has just ended."""
    stats = container.stats(stream=False, one_shot=True)
    return _Memory.model_validate(stats["memory_stats"]).used


def _device_gib() -> float | None:
    """Memory of the first GPU that is in use, where its driver can be asked."""
    asked = gpu_query("memory.used")
    return float(asked) / 1024 if asked else None


def gpu_query(what: str) -> str | None:
    """Ask `nvidia-smi` for a property of the first GPU; None without the tool or a GPU."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    words = [tool, f"--query-gpu={what}", "--format=csv,noheader,nounits", "--id=0"]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    return answer.stdout.strip() if answer.returncode == 0 else None


def seconds_of(state: Mapping[str, str]) -> float:
    """Wall time of a container that has ended, by the engine's clock.

    The engine may note the start of one that ends at once a moment after its end.
    """
    return max(0.0, round(_moment(state["FinishedAt"]) - _moment(state["StartedAt"]), 2))


def _moment(text: str) -> float:
    """Seconds of the engine's clock, which writes nanoseconds and `Z`."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")


def _tail(container: Container) -> tuple[str, ...]:
    text = container.logs(tail=TAIL).decode(errors="replace")
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())


def unexpected_writes(
    changes: Iterable[dict[str, object]], places: tuple[BindMount, ...], *, gpu: bool
) -> Iterator[str]:
    """List the files that the container wrote outside its output, from `docker diff`.

    Args:
        changes: each with a `Path`; folders are listed because of what changed in them.
        places: mounts, whose mount points the engine makes.
        gpu: whether the engine put a driver into the container.
    """
    paths = sorted(str(change["Path"]) for change in changes)
    free = (*SCRATCH, *(str(place.target) for place in places), *(DRIVER if gpu else ()))
    for path in paths:
        parents = map(str, (PurePosixPath(path), *PurePosixPath(path).parents))
        is_folder = any(other.startswith(f"{path}/") for other in paths)
        holds_mount = any(point.startswith(f"{path}/") for point in free)
        if not is_folder and not holds_mount and not set(parents) & set(free):
            yield path
