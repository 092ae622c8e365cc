"""Real jobs of a real Slurm on one node: an array of shards, and workers by dask-jobqueue."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2r.phantom import write_phantom
from tests.l2r.cluster import slurm
from tests.pipeline.conftest import QUICK

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    if reason := slurm.lacking():
        pytest.skip(reason)
    with slurm.slurm(tmp_path_factory.mktemp("slurm")) as started:
        yield started | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_phantom(folder, subjects=6)
    (folder / "quick.toml").write_text(QUICK)
    return folder


def words(data: Path, out: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "pipeline", "run", "--device", "cpu"),
        *("--config", str(data / "quick.toml"), "--task", str(data / "phantom.toml")),
        *("--dataset", str(data / "PHANTOM_dataset.json"), "--output", str(out), *more),
    ]


def fields(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("disp_*")}


@pytest.fixture(scope="module")
def expected(
    environment: dict[str, str], data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("plain") / "out"
    subprocess.run(words(data, out), cwd=ROOT, env=environment, check=True, capture_output=True)
    made = fields(out)
    assert len(made) == 5
    return made


def test_an_array_job_of_shards_makes_the_fields_of_one_run(
    environment: dict[str, str], data: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    call = " ".join(words(data, out, "--shard", "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"))
    script = tmp_path / "job.sh"
    script.write_text(
        f"#!/bin/bash\n#SBATCH --array=1-2\n#SBATCH --output={tmp_path}/%a.log\n"
        f"set -euo pipefail\ncd {ROOT}\nexec {call}\n"
    )
    ran = subprocess.run(
        ["sbatch", "--wait", script], env=environment, check=False, capture_output=True, text=True
    )
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert ran.returncode == 0, ran.stderr + logs
    assert fields(out) == expected
    assert [path.name for path in out.glob("manifest*")] == ["manifest.json"]


def cluster_file(folder: Path, **changes: str) -> Path:
    lines = {
        "system": '"slurm"', "cores": "1", "memory": '"1 GB"', "workers": "2", "queue": '"main"',
        "interface": '"lo"', "logs": f'"{folder / "jobs"}"', "prologue": f'["cd {ROOT}"]',
    } | changes  # fmt: skip
    path = folder / "cluster.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
    return path


def test_workers_that_are_jobs_make_the_fields_of_one_run_and_are_cancelled_at_its_end(
    environment: dict[str, str], data: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = subprocess.run(
        words(data, out, "--cluster", str(cluster_file(tmp_path))),
        cwd=ROOT, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert fields(out) == expected
    left = subprocess.run(
        ["squeue", "--noheader", "--states=PENDING,RUNNING"],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert left.stdout == ""


def test_a_job_that_is_refused_is_one_line(
    environment: dict[str, str], data: Path, tmp_path: Path
) -> None:
    file = cluster_file(tmp_path, queue='"none"')
    ran = subprocess.run(
        words(data, tmp_path / "out", "--cluster", str(file)),
        cwd=ROOT, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    (line,) = ran.stderr.splitlines()
    assert "error: the batch system refuses the job: sbatch: error: invalid partition" in line
