"""A run over workers of Dask: the fields of any other run, whatever is killed meanwhile."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from l2r.phantom import write_phantom
from tests.pipeline.conftest import QUICK

ROOT = Path(__file__).parents[3]
SUBJECTS = 8
LAST = f"disp_{SUBJECTS:04}_{SUBJECTS - 1:04}.nii.gz"
pytestmark = pytest.mark.slow


@dataclass
class Runs:
    """Commands on a made-up challenge of seven pairs."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    def words(self, out: str, *more: str) -> list[str]:
        return [
            *("-m", "pipeline", "run", "--device", "cpu"),
            *("--config", str(self.folder / "quick.toml")),
            *("--task", str(self.folder / "phantom.toml")),
            *("--dataset", str(self.folder / "PHANTOM_dataset.json")),
            *("--output", str(self.folder / out), *more),
        ]

    def start(self, *words: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | self.environment,
        )  # fmt: skip
        self.started.append(process)
        return process

    def start_scheduler(self, address: str) -> "subprocess.Popen[str]":
        """A scheduler, and one worker of it."""
        program, port = "distributed.cli.dask_", address.rpartition(":")[2]
        quiet = ("--no-dashboard", "--host", "127.0.0.1")
        scheduler = self.start("-m", f"{program}scheduler", *quiet, "--port", port)
        wait_for(lambda: listens(int(port)))
        alone = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0")
        self.start("-m", f"{program}worker", address, *quiet, *alone)
        return scheduler

    def run(self, out: str, *more: str) -> tuple[int, dict[str, int], str]:
        """The exit code, the number of pairs by status, and the messages."""
        process = self.start(*self.words(out, *more))
        printed, told = process.communicate(timeout=800)
        return process.returncode, counts(printed), told

    def fields(self, out: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / out).glob("disp_*")}

    def manifest(self, out: str) -> dict[str, object]:
        return json.loads((self.folder / out / "manifest.json").read_text())


def counts(printed: str) -> dict[str, int]:
    parts = printed.split(" in ", maxsplit=1)[0].split(", ") if printed else []
    return {status: int(number) for number, status in (part.split() for part in parts)}


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    write_phantom(tmp_path, subjects=SUBJECTS)
    (tmp_path / "quick.toml").write_text(QUICK)
    runs = Runs(tmp_path)
    yield runs
    for process in runs.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(condition: Callable[[], object], seconds: float = 400) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def begun(folder: Path) -> list[Path]:
    return list(folder.glob(".disp*.begun.part"))


def journal(folder: Path) -> bool:
    return (folder / "manifest.jsonl").exists()


def workers_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The processes that `process` has started and that compute."""
    return [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]


def hashes(manifest: dict[str, object]) -> dict[str, str]:
    return {name: pair["field_sha256"] for name, pair in manifest["pairs"].items()}


def test_two_workers_make_the_fields_and_the_record_of_one_process(runs: Runs) -> None:
    assert runs.run("one")[:2] == (0, {"done": 7})
    code, told, errors = runs.run("two", "--cluster", "local:2")
    assert (code, told) == (0, {"done": 7}), errors
    assert "Dask's dashboard: http://127.0.0.1:" in errors
    assert "[7/7, 0:00:00 left] " in errors
    assert runs.fields("two") == runs.fields("one")
    one, two = runs.manifest("one"), runs.manifest("two")
    assert (two["settings"], hashes(two)) == (one["settings"], hashes(one))
    assert sorted(path.name for path in (runs.folder / "two").iterdir()) == [
        *sorted(runs.fields("one")),
        "manifest.json",
    ]
    assert runs.run("two")[:2] == (0, {"skipped": 7})
    (runs.folder / "one" / LAST).write_bytes(b"something else")
    assert runs.run("one", "--cluster", "local:2")[:2] == (0, {"done": 1, "skipped": 6})
    assert runs.fields("one") == runs.fields("two")


def test_pairs_of_a_killed_worker_run_elsewhere(runs: Runs) -> None:
    process = runs.start(*runs.words("out", "--cluster", "local:2"))
    wait_for(lambda: begun(runs.folder / "out"))
    victim = workers_of(process)[0]
    victim.kill()
    printed, errors = process.communicate(timeout=800)
    assert (process.returncode, counts(printed)) == (0, {"done": 7}), errors
    assert not begun(runs.folder / "out")


def test_a_pair_that_kills_three_workers_becomes_a_marked_fallback(runs: Runs) -> None:
    preload = str(Path(__file__).with_name("deadly.py"))
    runs.environment["DASK_DISTRIBUTED__WORKER__PRELOAD"] = json.dumps([preload])
    code, told, errors = runs.run("out", "--cluster", "local:2")
    assert (code, told) == (1, {"done": 6, "fallback": 1}), errors
    pair = runs.manifest("out")["pairs"]["disp_0004_0003.nii.gz"]
    assert pair["status"] == "fallback"
    assert "3 workers were killed at this pair" in pair["error"]
    runs.environment.clear()
    assert runs.run("out", "--cluster", "local:2")[:2] == (0, {"done": 1, "skipped": 6})


def test_a_command_that_is_killed_ends_its_workers_and_the_same_command_goes_on(
    runs: Runs,
) -> None:
    process = runs.start(*runs.words("out", "--cluster", "local:2"))
    wait_for(lambda: journal(runs.folder / "out"))
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2
    process.kill()
    process.communicate(timeout=200)
    wait_for(lambda: not any(child.is_running() for child in family))
    before = len(runs.fields("out"))
    assert 0 < before < 7
    code, told, errors = runs.run("out", "--cluster", "local:2")
    assert code == 0, errors
    assert sum(told.values()) == 7
    assert told["skipped"] >= 1
    assert not begun(runs.folder / "out")


def test_ctrl_c_ends_all_that_was_started(runs: Runs) -> None:
    process = runs.start(*runs.words("out", "--cluster", "local:2"))
    wait_for(lambda: journal(runs.folder / "out"))
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to workers too
    process.communicate(timeout=200)
    assert process.returncode == 130
    wait_for(lambda: not any(child.is_running() for child in family))
    code, counted, errors = runs.run("out")
    assert (code, sum(counted.values())) == (0, 7), errors
    assert counted["skipped"] >= 1


def test_a_killed_scheduler_ends_the_command_and_the_same_command_goes_on(runs: Runs) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    scheduler = runs.start_scheduler(address)
    process = runs.start(*runs.words("out", "--cluster", address))
    wait_for(lambda: journal(runs.folder / "out"))
    scheduler.kill()
    _, errors = process.communicate(timeout=400)
    assert process.returncode == 2, errors
    assert "the scheduler is gone" in errors.splitlines()[-1]
    assert 0 < len(runs.fields("out")) < 7
    runs.start_scheduler(address)
    code, counted, errors = runs.run("out", "--cluster", address)
    assert (code, sum(counted.values())) == (0, 7), errors
    assert counted["skipped"] >= 1
    assert len(runs.fields("out")) == 7


def test_a_full_disk_is_one_line_and_what_is_recorded_stays(runs: Runs) -> None:
    limit = "import resource as r, runpy, sys; r.setrlimit(r.RLIMIT_FSIZE, (20_000, 20_000)); "
    words: Sequence[str] = runs.words("out", "--cluster", "local:2")[2:]
    run = f"sys.argv = {['pipeline', *words]!r}; runpy.run_module('pipeline', run_name='__main__')"
    process = runs.start("-c", limit + run)
    _, errors = process.communicate(timeout=400)
    assert process.returncode == 2, errors
    assert errors.splitlines()[-1].startswith("error: ")
    assert "cannot be written: File too large" in errors.splitlines()[-1]
    assert not runs.fields("out")


def test_the_sample_over_two_workers_is_that_of_one_process(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = ROOT / "sample"

    def words(out: str, *more: str) -> list[str]:
        return [
            *("-m", "pipeline", "run", "--device", "cpu", "--config", "t1_network"),
            *("--task", "aseg", "--dataset", str(sample / "SAMPLE_dataset.json")),
            *("--output", str(runs.folder / out), *more),
        ]

    monkeypatch.setattr(runs, "words", words)
    assert runs.run("one")[0] == 0
    assert runs.run("two", "--cluster", "local:2")[0] == 0
    assert runs.fields("two") == runs.fields("one")
    assert len(runs.fields("two")) == len(runs.manifest("one")["pairs"])
