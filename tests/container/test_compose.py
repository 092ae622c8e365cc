"""docker-compose.yml, in the hands of a real docker-compose."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.container.conftest import REPOSITORY
from tests.container.engine import Engine

pytestmark = pytest.mark.docker

Compose = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the file, with one pair of the sample, and an output for anybody."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(REPOSITORY / "docker-compose.yml", folder)
    shutil.copytree(REPOSITORY / "sample", folder / "sample")
    dataset = folder / "sample" / "SAMPLE_dataset.json"
    listed = json.loads(dataset.read_text())
    dataset.write_text(json.dumps(listed | {"validation": listed["validation"][:1]}))
    (folder / "output").mkdir()
    (folder / "output").chmod(0o777)
    return folder


@pytest.fixture(scope="module")
def compose(project: Path, engine: Engine, image: str, eval_image: str) -> Iterator[Compose]:
    """Calls it with both images built."""
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is missing: apt-get install docker-compose")
    surroundings = os.environ | {"DOCKER_HOST": engine.base_url, "UID": "4321", "GID": "4321"}

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker-compose", *words],
            cwd=project, env=surroundings, check=False, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    yield call
    call("down", "--timeout", "60")


def test_register_evaluate_and_rank_one_pair(compose: Compose, project: Path) -> None:
    command = ("run", "--task", "aseg", "--device", "cpu", "--config", "configs/any_fast.toml")
    registered = compose("run", "--rm", "register-cpu", *command)
    assert registered.returncode == 0, registered.stderr
    assert (project / "output/disp_0001_0002.nii.gz").stat().st_uid == 4321
    evaluated = compose("run", "--rm", "evaluate")
    assert evaluated.returncode == 0, evaluated.stderr
    scores = json.loads((project / "output/metrics.json").read_text())
    assert scores["aggregates"]["DSC"]["mean"] > 0.75
    assert compose("run", "--rm", "leaderboard", "init").returncode == 0
    words = ("add", "/output/metrics.json", "--task", "aseg", "--name", "first")
    added = compose("run", "--rm", "leaderboard", *words)
    assert "submission 1, 'first' to aseg, 1 cases" in added.stdout, added.stderr
    port = free_port()
    serving = compose(
        "run", "-d", "--rm", "leaderboard", "serve", "--task", "aseg", "--port", f"{port}"
    )
    assert serving.returncode == 0, serving.stderr
    (row,) = json.loads(answer(f"http://127.0.0.1:{port}/board.json"))["rows"]
    assert row["name"] == "first"


def test_smoke_finds_nothing_in_the_way(compose: Compose) -> None:
    ran = compose("run", "--rm", "smoke")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "no blockers" in ran.stdout


@pytest.mark.skipif(
    shutil.which("nvidia-container-runtime-hook") is not None, reason="here is a GPU to be had"
)
def test_register_asks_for_a_gpu(compose: Compose) -> None:
    ran = compose("run", "--rm", "register")
    assert ran.returncode == 1
    assert 'could not select device driver "nvidia" with capabilities: [[gpu]]' in ran.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(address: str) -> bytes:
    for _ in range(120):
        try:
            with urlopen(address) as response:  # noqa: S310 - http
                return response.read()
        except URLError:
            time.sleep(0.5)
    raise AssertionError(f"nobody answers at {address}")
