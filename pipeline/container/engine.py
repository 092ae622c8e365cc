"""The container engine, by docker-py, with its errors in one line."""

import io
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from l2r.errors import ContainerError

LOCAL = "unix:///var/run/docker.sock"
TIMEOUT_S = 600
"""Seconds without an answer from the engine, which packs an image before it sends a byte."""


@contextmanager
def engine() -> Iterator[docker.DockerClient]:
    """The engine that `DOCKER_HOST` names, else the local one.

    Raises:
        ContainerError: it cannot be reached, or it fails later.
    """
    with engine_errors("the container engine"):
        _reach(os.environ.get("DOCKER_HOST") or LOCAL)
        client = docker.from_env(timeout=TIMEOUT_S)
        try:
            yield client
        finally:
            client.close()


def _reach(url: str) -> None:
    """Refuse a local socket that does not answer; docker-py would also leave it open."""
    path = url.removeprefix("unix://")
    if path == url:
        return
    try:
        with socket.socket(socket.AF_UNIX) as attempt:
            attempt.connect(path)
    except OSError as cause:
        raise ContainerError(
            f"no container engine answers at {path}: {cause.strerror or cause}; start Docker, join "
            "its group, or say where it is, DOCKER_HOST=unix:///run/user/1000/docker.sock for one"
        ) from None


@contextmanager
def engine_errors(where: str) -> Iterator[None]:
    """Turn the engine's errors into one line that begins with `where`."""
    try:
        yield
    except APIError as cause:
        raise ContainerError(f"{where}: {explained(cause)}") from None
    except (DockerException, RequestException) as cause:
        raise ContainerError(f"{where}: {_first_line(cause)}") from None


def explained(error: APIError) -> str:
    """Return the engine's explanation of a failure in one line."""
    return " ".join(str(error.explanation or error).split())


class Chunks(io.RawIOBase):
    """A readable file over an iterator of bytes, so that nothing is held as a whole."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__()
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _first_line(cause: Exception) -> str:
    return str(cause).partition("\n")[0]
