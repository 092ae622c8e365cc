"""Workers that cannot start, for real: the command ends, and says what they wrote."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from l2r.cluster import opening, watch
from l2r.cluster.option import open_workers
from l2r.errors import ClusterError
from l2r.phantom import write_phantom
from tests.l2r.cluster.broken import MESSAGE, write_broken_start

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.slow
COMMANDS = {
    "sbatch": 'cp "$1" {logs}/job; cd {logs}; bash job > regatta-7.out 2> regatta-7.err &\n'
    "echo $! > {logs}/process; echo Submitted batch job 7",
    "squeue": 'kill -0 "$(cat {logs}/process)" 2> /dev/null && echo RUNNING; true',
    "scancel": "true",
}
"""A batch system of one job at a time."""


@pytest.fixture
def batch_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs, logs = tmp_path / "bin", tmp_path / "logs"
    programs.mkdir()
    for name, text in COMMANDS.items():
        (programs / name).write_text(f"#!/bin/bash\n{text.format(logs=logs)}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(watch, "LOOK_S", 0.5)
    monkeypatch.setattr(opening, "ENDED_S", 2.0)
    file = tmp_path / "cluster.toml"
    file.write_text(
        'system = "slurm"\ncores = 1\nmemory = "1 GB"\nworkers = 1\ninterface = "lo"\n'
        f'logs = "{logs}"\n'
    )
    return file


@pytest.mark.parametrize("command", ["run", "score"])
def test_processes_that_cannot_start_are_one_line(tmp_path: Path, command: str) -> None:
    write_phantom(tmp_path, subjects=3)
    write_broken_start(tmp_path)
    task = ["--task", f"{tmp_path}/phantom.toml", "--dataset", f"{tmp_path}/PHANTOM_dataset.json"]
    whole = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "pipeline"]
    (tmp_path / "empty.toml").write_text("")
    run = ["run", *task, "--output", f"{tmp_path}/out", "--device", "cpu"]
    run += ["--config", f"{tmp_path}/empty.toml"]
    if command == "score":
        subprocess.run([*words, *run], cwd=ROOT, env=whole, check=True, capture_output=True)
    asked = run if command == "run" else ["score", f"{tmp_path}/out", *task]
    ran = subprocess.run(
        [*words, *asked, "--cluster", "local:2"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=200,
        env=whole | {"PYTHONPATH": f"{ROOT}:{tmp_path}"},
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines() == [
        "error: --cluster local:2: its worker processes cannot start; the last line that they "
        f"wrote: SystemExit: {MESSAGE}"
    ]


def test_a_worker_that_fails_with_a_message_of_its_own_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = (
        "from l2r.cluster.option import open_workers\n"
        "if __name__ == '__main__': open_workers('local:1').__enter__()\n"
    )
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", '["no_such_module"]')
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert ran.stderr.splitlines()[-1].endswith(
        "they wrote: ModuleNotFoundError: No module named 'no_such_module'"
    )


def test_what_workers_write_while_they_start_well_is_shown(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; print('a warning', file=sys.stderr)")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    with open_workers("local:1") as workers:
        assert workers.first(abs, -3) == 3
    assert "a warning" in capfd.readouterr().err


def test_a_killed_worker_that_cannot_be_started_anew_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.5)
    monkeypatch.setattr(opening, "RESTART_S", 4.0)
    with open_workers("local:1") as workers:
        victim = workers.first(process, 0)
        write_broken_start(tmp_path)
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
        psutil.Process(victim).kill()
        time.sleep(1)
        with pytest.raises(ClusterError, match="cannot be started anew"):
            workers.first(process, 0)


def process(_: int) -> int:
    return os.getpid()


def test_a_job_is_a_worker(batch_file: Path) -> None:
    with open_workers(str(batch_file)) as workers:
        assert workers.first(process, 0) == workers.first(process, 0)


def test_jobs_that_end_before_a_worker_has_come_end_the_command(
    batch_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_broken_start(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    with (
        pytest.raises(ClusterError, match="1 jobs have ended and no worker is left") as raised,
        open_workers(str(batch_file)) as workers,
    ):
        workers.first(process, 0)
    assert str(raised.value).endswith(f"they wrote: SystemExit: {MESSAGE}")


def test_a_worker_without_our_packages_is_one_line(tmp_path: Path) -> None:
    """It can start, but not load what it is sent."""
    with open_workers("local:1") as workers, pytest.raises(ClusterError, match="cannot load"):
        workers.first(missing_there, 0)


def missing_there(_: int) -> None:
    raise ModuleNotFoundError("No module named 'pipeline'")
