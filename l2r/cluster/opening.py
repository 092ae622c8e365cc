"""Three places of workers: processes of this machine, a running scheduler, a batch system."""

import importlib
import logging
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster, Status

from l2r.cluster.batch import BatchJob
from l2r.cluster.jobs import has_ended, last_words
from l2r.cluster.local import local_count
from l2r.cluster.overheard import overhearing
from l2r.cluster.workers import Workers
from l2r.errors import ClusterError, ConfigError
from l2r.machine import usable_cores
from l2r.schema import parse, read_toml

SETTINGS: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": 2,  # three workers are killed by one task
    "distributed.scheduler.worker-saturation": 1.0,  # no task waits on a worker that may die
    "distributed.worker.memory.target": False,  # a pair's memory is torch's: nothing to spill,
    "distributed.worker.memory.spill": False,  # and a pause would never end
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.log-length": 1000,  # memory that does not grow
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ.MKL_NUM_THREADS": None,  # as in a run without Dask
    "distributed.nanny.pre-spawn-environ.OPENBLAS_NUM_THREADS": None,
}
LOCAL: dict[str, Any] = {
    # A crowded machine takes minutes to start a killed worker anew; after 15 s Dask would give up
    # on it, and a run without workers would wait for ever.
    "distributed.deploy.lost-worker-timeout": "1 day",
}
RESTART_S = 600.0
"""A run whose processes are all gone, and do not come back, ends after so long."""
_CANNOT_START_ANEW = (
    "--cluster {}: its worker processes were killed and cannot be started anew; is memory short?"
)
ENDED_S = 60.0
"""The same where all jobs have ended: it takes Dask 15 s to replace one."""
SYSTEMS = {
    "slurm": ("SLURMCluster", "sbatch"),
    "pbs": ("PBSCluster", "qsub"),
    "sge": ("SGECluster", "qsub"),
    "lsf": ("LSFCluster", "bsub"),
}
"""Dask's class of each batch system, and the command that it calls."""
QUIET = logging.CRITICAL
"""Level of Dask's own messages: our lines say what a user can do."""
ANSWER_S = 10
"""How long a scheduler may take to answer."""


@contextmanager
def opened(text: str, gpus: int) -> Iterator[Workers]:
    """Start or find workers, see `l2r.cluster.option.open_workers`."""
    count = local_count(text)
    if count is not None:
        threads = int(os.environ.get("OMP_NUM_THREADS") or max(1, usable_cores() // count))
        threads_of = {"distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": threads}
        with (
            dask.config.set(SETTINGS | LOCAL | threads_of),
            _local(count, gpus) as cluster,
            Client(cluster) as client,
        ):
            yield Workers(client, lambda: _CANNOT_START_ANEW.format(text), RESTART_S)
    elif "://" in text:
        with _connected(text) as client:
            client.wait_for_workers(1)
            yield Workers(client)
    else:
        job = parse(BatchJob, read_toml(Path(text), ConfigError), text, ConfigError)
        with dask.config.set(SETTINGS), _batch(job) as cluster, Client(cluster) as client:
            yield Workers(client, partial(_no_job_left, cluster, job, text), ENDED_S)


def _local(count: int, gpus: int) -> SpecCluster:
    """Worker processes of this machine; GPU k belongs to worker k, and again from the first."""
    options: dict[str, Any] = {"nthreads": 1, "memory_limit": 0, "silence_logs": QUIET}
    workers = {
        number: {"cls": Nanny, "options": options | _gpu_of(number, gpus)}
        for number in range(count)
    }
    nobody_else = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
    scheduler = {"cls": Scheduler, "options": nobody_else}
    with overhearing() as overheard:
        try:
            cluster = SpecCluster(workers=workers, scheduler=scheduler, silence_logs=QUIET)
        except RuntimeError as cause:
            raise ClusterError(
                f"--cluster local:{count}: its worker processes cannot start; the last line that "
                f"they wrote: {_reason(cause) or overheard.last_line() or 'none'}"
            ) from None
    overheard.hand_on()
    return cluster


def _reason(error: BaseException) -> str:
    """The error of a worker at the beginning of a chain; nothing if its process just ended."""
    while error.__cause__ is not None:
        error = error.__cause__
    return "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: {error}"


def _gpu_of(number: int, gpus: int) -> dict[str, Any]:
    if not gpus:
        return {}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(gpus)))
    own = visible.split(",")[number % gpus]
    return {"resources": {"GPU": 1}, "env": {"CUDA_VISIBLE_DEVICES": own}}


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=ANSWER_S)
    except (OSError, TimeoutError, ValueError) as cause:
        raise ClusterError(
            f"--cluster {address}: no scheduler answers: {cause}; is `dask scheduler` running?"
        ) from None
    with client:
        yield client


@contextmanager
def _batch(job: BatchJob) -> Iterator[Any]:
    """Jobs of a batch system, as many as the file allows and the work needs."""
    name, command = SYSTEMS[job.system]
    if shutil.which(command) is None:
        raise ConfigError(
            f"system {job.system}: there is no {command} here; call this where jobs are submitted"
        )
    minimum, maximum = job.bounds
    options = {"dashboard_address": ":0"}
    with _kind(name)(**job.arguments(), scheduler_options=options, silence_logs=QUIET) as cluster:
        _submit(cluster, max(1, minimum))
        cluster.adapt(minimum=minimum, maximum=maximum)
        yield cluster


def _no_job_left(cluster: Any, job: BatchJob, text: str) -> str | None:
    """Why no worker will come, if all jobs have ended."""
    numbers = [str(each.job_id) for each in list(cluster.workers.values()) if each.job_id]
    if not numbers or not all(has_ended(job.system, number) for number in numbers):
        return None
    written = last_words(job.logs or Path(), numbers) or "unknown; `logs` names a folder for it"
    return (
        f"{text}: {len(numbers)} jobs have ended and no worker is left; the last line that they "
        f"wrote: {written}"
    )


def _kind(name: str) -> Any:
    """A class of dask-jobqueue, whose import would end a run with 0 at Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    module = importlib.import_module("dask_jobqueue")
    signal.signal(signal.SIGINT, before)
    return getattr(module, name)


def _submit(cluster: Any, count: int) -> None:
    """Submit the first jobs; one that is refused later costs a worker and no more."""

    async def settled() -> None:
        await cluster

    heard = logging.getLogger("asyncio")
    heard.disabled = True  # it would print the refusal with its traceback
    try:
        cluster.scale(count)
        cluster.sync(settled)
        refused = [job for job in cluster.workers.values() if job.job_id is None]
        for job in refused:
            job.status = Status.closed  # else closing the cluster fails
        for job in refused[:1]:
            cluster.sync(job.start)  # once more, for the reason
    except RuntimeError as cause:
        reason = " ".join((str(cause).partition("stderr:")[2] or str(cause)).split())
        raise ClusterError(f"the batch system refuses the job: {reason}") from None
    finally:
        heard.disabled = False
