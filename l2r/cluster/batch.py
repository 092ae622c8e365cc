"""The TOML file of a batch system: how many jobs of one worker each, and what a job asks for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from l2r.schema import Frozen

Arguments: TypeAlias = dict[str, Any]
"""Of a class of dask-jobqueue."""
ENVIRONMENT = ("export OMP_WAIT_POLICY=PASSIVE", "export THP_MEM_ALLOC_ENABLE=1")
"""What the command sets for itself, see docs/decisions/0004."""
_WAIT_S = 120
"""How long a worker waits for the scheduler before its job ends."""


class BatchJob(Frozen):
    """One worker is one job; it registers one pair at a time with all its cores."""

    system: Literal["slurm", "pbs", "sge", "lsf"]
    cores: PositiveInt
    memory: str = Field(pattern=r"^\d+(\.\d+)? ?[kMGT]i?B$")
    """Of the job; nothing but the batch system enforces it."""
    workers: PositiveInt | None = None
    """As many all the time: a job that ends is replaced."""
    minimum: NonNegativeInt = 0
    maximum: PositiveInt | None = None
    """With `minimum`: as many workers as the pairs that are left keep busy."""
    gpus: Literal[0, 1] = 0
    queue: str | None = None
    account: str | None = None
    walltime: str | None = None
    interface: str | None = None
    """Network that scheduler and workers share, `ib0` for instance."""
    directives: tuple[str, ...] = ()
    """Further lines for the head of the job script, without `#SBATCH`."""
    prologue: tuple[str, ...] = ()
    """Shell lines before the worker starts."""
    python: str | None = None
    """The interpreter on the nodes; else the one that runs this command."""
    logs: Path | None = None
    """Folder of the jobs' own output."""

    @model_validator(mode="after")
    def _says_how_many(self) -> "BatchJob":
        if (self.workers is None) == (self.maximum is None):
            raise ValueError("give workers, or minimum and maximum")
        if self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is more than maximum {self.maximum}")
        return self

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the largest number of workers."""
        if self.workers is not None:
            return self.workers, self.workers
        return self.minimum, self.maximum or self.minimum

    def arguments(self) -> Arguments:
        """Arguments for the class of dask-jobqueue, by which it writes the job script."""
        account = "project" if self.system in ("sge", "lsf") else "account"
        threads = f"export OMP_NUM_THREADS={self.cores}"
        resources = ["--resources", "GPU=1"] if self.gpus else []
        common: Arguments = {
            "cores": 1,  # Dask's threads: one pair at a time
            "processes": 1,
            "memory": self.memory,
            "queue": self.queue,
            account: self.account,
            "walltime": self.walltime,
            "interface": self.interface,
            "python": self.python,
            "log_directory": str(self.logs) if self.logs else None,
            "death_timeout": _WAIT_S,
            "job_name": "regatta",
            "job_script_prologue": [*self.prologue, *ENVIRONMENT, threads],
            # The batch system watches over memory; Dask would pause a worker for good.
            "worker_extra_args": ["--memory-limit", "0", *resources],
        }
        own = _OWN[self.system](self)
        own["job_extra_directives"] = [*own.get("job_extra_directives", []), *self.directives]
        return common | own


def _slurm(job: BatchJob) -> Arguments:
    gpu = ["--gres=gpu:1"] if job.gpus else []
    return {"job_cpu": job.cores, "job_extra_directives": gpu}


def _pbs(job: BatchJob) -> Arguments:
    gpu = ":ngpus=1" if job.gpus else ""
    memory = job.memory.replace(" ", "").replace("iB", "B").lower()
    return {"resource_spec": f"select=1:ncpus={job.cores}:mem={memory}{gpu}"}


def _sge(job: BatchJob) -> Arguments:
    gpu = ["-l gpu=1"] if job.gpus else []
    return {"job_extra_directives": [f"-pe smp {job.cores}", *gpu]}


def _lsf(job: BatchJob) -> Arguments:
    gpu = ['-gpu "num=1"'] if job.gpus else []
    return {"ncpus": job.cores, "job_extra_directives": gpu}


_OWN: Mapping[str, Callable[[BatchJob], Arguments]] = {
    "slurm": _slurm,
    "pbs": _pbs,
    "sge": _sge,
    "lsf": _lsf,
}
