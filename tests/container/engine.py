"""A container engine of the tests' own, and containers as strict as any organiser's."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.models.containers import Container

STRANGER = "12345:54321"
"""A user and a group that no image knows."""
STRICT: dict[str, object] = {
    "user": STRANGER,
    "read_only": True,
    "network_mode": "none",
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "tmpfs": {"/tmp": "size=64m"},  # noqa: S108 - in the container
    "ipc_mode": "none",  # no /dev/shm
    "mem_limit": "1g",
    "memswap_limit": "1g",
    "pids_limit": 128,
}
"""All that organisers take from a container, at once."""


class EngineError(Exception):
    """The daemon does not come up."""


@dataclass(frozen=True)
class Engine:
    """A running daemon."""

    client: docker.DockerClient
    base_url: str


@dataclass(frozen=True)
class RunOutcome:
    """What a container did."""

    code: int
    out: str
    err: str


@contextmanager
def daemon(folder: Path) -> Iterator[Engine]:
    """Run a Docker daemon on a socket of its own that keeps everything in `folder`.

    Raises:
        EngineError: it ends at once, or does not answer within half a minute.
    """
    url = f"unix://{folder / 'docker.sock'}"
    places = {"data-root": "data", "exec-root": "exec", "pidfile": "dockerd.pid"}
    words = [f"--{option}={folder / name}" for option, name in places.items()]
    network = ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            ["dockerd", *words, *network, "--bridge=none", "-H", url], stdout=log, stderr=log
        )
        try:
            _wait(process, folder / "docker.sock", folder / "dockerd.log")
            client = docker.DockerClient(base_url=url, timeout=600)
            try:
                yield Engine(client, url)
            finally:
                client.close()
        finally:
            process.terminate()
            process.wait(timeout=60)
            subprocess.run(["umount", "-q", folder / "exec/netns/default"], check=False)


def _wait(process: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    """Until it answers; docker-py would leave a socket open for each attempt that fails."""
    for _ in range(300):
        with socket.socket(socket.AF_UNIX) as attempt:
            if attempt.connect_ex(str(path)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise EngineError((log.read_text().splitlines() or ["dockerd says nothing"])[-1])


def build(
    engine: Engine, context: Path, build_args: dict[str, str], target: str, *, tag: str
) -> str:
    """The tag of what the Dockerfile makes.

    Raises:
        BuildError: one of its steps failed; `build_log` has what was said.
    """
    engine.client.images.build(
        path=str(context),
        tag=tag,
        target=target,
        buildargs=build_args,
        network_mode="host",
        rm=True,
        forcerm=True,
    )
    return tag


@contextmanager
def started(
    engine: Engine, image: str, words: Sequence[str] = (), *, mounts: Sequence[str], **more: object
) -> Iterator[Container]:
    """A running container, `STRICT` where `more` says nothing else; gone afterwards.

    Args:
        engine: where.
        image: what.
        words: the arguments of its entry point.
        mounts: as for `docker run --volume`.
        more: keyword arguments of docker-py's `containers.create`.
    """
    settings = STRICT | {"volumes": list(mounts)} | more
    container = engine.client.containers.create(image, list(words), **settings)
    try:
        container.start()
        yield container
    finally:
        container.remove(force=True)


def run(
    engine: Engine, image: str, words: Sequence[str] = (), *, mounts: Sequence[str], **more: object
) -> RunOutcome:
    """As `started`, to its end."""
    with started(engine, image, words, mounts=mounts, **more) as container:
        return finished(container)


def finished(container: Container) -> RunOutcome:
    """Wait for a container's end."""
    code = container.wait(timeout=300)["StatusCode"]
    out, err = (
        container.logs(stdout=stream == "out", stderr=stream == "err").decode()
        for stream in ("out", "err")
    )
    return RunOutcome(code, out, err)
