"""Job scripts of batch systems, written by dask-jobqueue from our files."""

from pathlib import Path

import pytest
from dask_jobqueue.core import Job
from dask_jobqueue.lsf import LSFJob
from dask_jobqueue.pbs import PBSJob
from dask_jobqueue.sge import SGEJob
from dask_jobqueue.slurm import SLURMJob

from l2r.cluster.batch import BatchJob
from l2r.errors import ConfigError
from l2r.schema import parse

JOB = {
    "cores": 8, "memory": "32 GB", "workers": 4, "gpus": 1, "queue": "gpu", "account": "brains",
    "walltime": "04:00:00", "prologue": ["module load cuda"], "interface": "lo",
}  # fmt: skip


def script(kind: type[Job], job: BatchJob) -> str:
    made = kind(scheduler="tcp://10.0.0.1:8786", name="0", **job.arguments())
    return str(made.job_script())


@pytest.mark.parametrize(
    ("system", "kind", "lines"),
    [
        (
            "slurm", SLURMJob,
            ["#SBATCH -p gpu", "#SBATCH -A brains", "#SBATCH --cpus-per-task=8",
             "#SBATCH --mem=30G", "#SBATCH -t 04:00:00", "#SBATCH --gres=gpu:1",
             "#SBATCH --constraint=h100"],
        ),
        (
            "pbs", PBSJob,
            ["#PBS -q gpu", "#PBS -A brains", "#PBS -l select=1:ncpus=8:mem=32gb:ngpus=1",
             "#PBS -l walltime=04:00:00", "#PBS --constraint=h100"],
        ),
        (
            "sge", SGEJob,
            ["#$ -q gpu", "#$ -P brains", "#$ -pe smp 8", "#$ -l gpu=1", "#$ -l h_rt=04:00:00",
             "#$ --constraint=h100"],
        ),
        (
            "lsf", LSFJob,
            ["#BSUB -q gpu", '#BSUB -P "brains"', "#BSUB -n 8", '#BSUB -gpu "num=1"',
             "#BSUB -W 04:00:00", "#BSUB --constraint=h100"],
        ),
    ],
)  # fmt: skip
def test_a_job_asks_for_what_the_file_names(system: str, kind: type[Job], lines: list[str]) -> None:
    job = BatchJob.model_validate(JOB | {"system": system, "directives": ["--constraint=h100"]})
    written = script(kind, job).splitlines()
    assert [line for line in lines if line not in written] == []
    prologue, threads = written.index("module load cuda"), written.index("export OMP_NUM_THREADS=8")
    assert prologue < threads
    (worker,) = [line for line in written if "dask_worker" in line]
    assert " tcp://10.0.0.1:8786 --name 0 --nthreads 1 " in worker
    assert worker.endswith("--memory-limit 0 --resources GPU=1 --interface lo")


def test_a_job_without_a_gpu_asks_for_none() -> None:
    job = BatchJob.model_validate(JOB | {"system": "slurm", "gpus": 0})
    written = script(SLURMJob, job)
    assert "gres" not in written
    assert "--resources" not in written


def test_the_number_of_workers_is_fixed_or_within_bounds() -> None:
    assert BatchJob.model_validate(JOB | {"system": "slurm"}).bounds == (4, 4)
    elastic = {**JOB, "system": "slurm", "workers": None, "minimum": 1, "maximum": 9}
    assert BatchJob.model_validate(elastic).bounds == (1, 9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"system": "condor"}, "system: input should be 'slurm', 'pbs', 'sge' or 'lsf'"),
        ({"workers": None}, "give workers, or minimum and maximum"),
        ({"maximum": 3}, "give workers, or minimum and maximum"),
        ({"workers": None, "minimum": 4, "maximum": 3}, "minimum 4 is more than maximum 3"),
        ({"memory": "a lot"}, "memory: string should match"),
        ({"gpus": 2}, "gpus: input should be 0 or 1"),
        ({"nodes": 2}, "nodes: extra inputs are not permitted"),
    ],
)
def test_a_faulty_file_is_one_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        parse(BatchJob, {**JOB, "system": "slurm"} | change, "cluster.toml", ConfigError)
    assert str(raised.value).startswith("cluster.toml: ")
    assert "\n" not in str(raised.value)


def test_where_no_jobs_can_be_submitted_the_error_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from l2r.cluster.option import open_workers  # noqa: PLC0415

    monkeypatch.setenv("PATH", str(tmp_path))
    file = tmp_path / "cluster.toml"
    file.write_text('system = "slurm"\ncores = 1\nmemory = "1 GB"\nworkers = 1\n')
    with pytest.raises(ConfigError, match="system slurm: there is no sbatch here"):
        open_workers(str(file)).__enter__()
