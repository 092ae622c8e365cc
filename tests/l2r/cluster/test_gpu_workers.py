"""A worker that states `GPU=1` takes all tasks from the others, whenever it comes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2r.cluster import sent, watch
from l2r.cluster.option import open_workers
from tests.l2r.cluster.slurm import free_port

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.slow
COUNT = 60


class Processes:
    """A scheduler and the workers that it is given."""

    def __init__(self) -> None:
        port = free_port()
        self.address, self._started = f"tcp://127.0.0.1:{port}", list[subprocess.Popen[bytes]]()
        self._start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")

    def add_worker(self, *words: str) -> int:
        """The process of a new worker."""
        alone = ("--no-nanny", "--no-dashboard", "--nthreads", "1", "--memory-limit", "0")
        return self._start("worker", self.address, *alone, *words)

    def _start(self, program: str, *words: str) -> int:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{program}", *words],
            cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._started.append(process)
        return process.pid

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    monkeypatch.setattr(watch, "LOOK_S", 0.3)
    monkeypatch.setattr(sent, "LOOK_S", 0.3)
    started = Processes()
    yield started
    started.end()


def slow_process(_: int) -> int:
    time.sleep(0.3)
    return os.getpid()


@pytest.mark.parametrize("way", ["in_order", "as_finished"])
def test_a_worker_with_a_gpu_that_comes_later_gets_all_that_is_not_begun(
    processes: Processes, way: str
) -> None:
    plain = processes.add_worker()
    with open_workers(processes.address) as workers:
        made = getattr(workers, way)(slow_process, range(COUNT))
        found = [next(made)]
        better = processes.add_worker("--resources", "GPU=1")
        found += made
    assert len(found) == COUNT
    assert set(found) == {plain, better}
    first = found.index(better)
    assert first < COUNT // 2
    assert found[first:].count(plain) <= 5


def test_a_worker_with_a_gpu_that_is_there_gets_everything(processes: Processes) -> None:
    processes.add_worker()
    better = processes.add_worker("--resources", "GPU=1")
    with open_workers(processes.address) as workers:
        workers._client.wait_for_workers(2)
        assert set(workers.as_finished(slow_process, range(8))) == {better}
