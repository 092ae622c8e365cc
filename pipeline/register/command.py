"""The main job, from resolved words to fields on the disk: over a list, or one named field."""

from collections import Counter
from pathlib import Path

import torch
import typer

from l2r.cluster.option import open_workers
from l2r.console import progress
from l2r.errors import ConfigError
from pipeline.device import file_threads, find_device
from pipeline.register.config import load_run
from pipeline.register.distribute import register_on
from pipeline.register.export import ExportField
from pipeline.register.loop import RegistrationLoop
from pipeline.register.outputs import open_ledger, open_outputs, save_files
from pipeline.register.registration import Registration
from pipeline.register.remote import RemoteRun
from pipeline.register.request import Job
from pipeline.register.save import check_saved
from pipeline.register.settings import settings_of
from pipeline.register.stages import build_stages
from pipeline.workdir import open_folder


def register(
    job: Job,
    device: str = "auto",
    time_budget_s: float | None = None,
    *,
    resume: bool = True,
    cluster: str | None = None,
) -> Counter[str]:
    """Register all pairs of a job.

    Args:
        job: the pairs, and by what.
        device: `auto`, `cpu`, `cuda` or `cuda:n`.
        time_budget_s: wall time per pair.
        resume: keep what the same job has made before.
        cluster: where the pairs are registered; None for this process.

    Returns:
        Number of pairs by status, see `PairRecord`, and of those `skipped`.

    Raises:
        L2RError: nothing could be begun, the output folder is full, or the cluster is gone.
    """
    if cluster is not None:
        return register_on_cluster(job, device, time_budget_s, resume=resume, cluster=cluster)
    found = find_device(device)
    if job.one_field:
        return register_one(job, found, time_budget_s)
    return register_list(job, found, time_budget_s, resume=resume)


def register_list(
    job: Job, device: torch.device, time_budget_s: float | None, *, resume: bool
) -> Counter[str]:
    """Register the pairs of a list, with a manifest from which the same job can go on."""
    config = load_run(job.config, job.overrides)
    folder = open_outputs(job)
    registration = Registration(config, job.task, device)
    if job.save is not None:
        check_saved(job.save, registration.stages, str(job.config))
    settings = settings_of(job.task, config, device, time_budget_s, job.overrides)
    with open_ledger(job, folder, settings) as ledger:
        loop = RegistrationLoop(
            registration.stages,
            ExportField(job.task, folder),
            ledger=ledger,
            resume=resume,
            time_budget_s=time_budget_s,
            file_threads=file_threads(device),
        )
        with progress(len(job.pairs), f"{job.task.name} on {device}") as advance:
            counts = loop(job.pairs, advance)
    save_files(job, folder, registration.stages)
    return counts


def register_on_cluster(
    job: Job, device: str, time_budget_s: float | None, *, resume: bool, cluster: str
) -> Counter[str]:
    """Register the pairs of a list on workers, with the manifest that one process would write."""
    if job.one_field:
        raise ConfigError(f"--cluster {cluster}: this organiser gives one pair; leave it out")
    config, folder = load_run(job.config, job.overrides), open_outputs(job)
    stages = build_stages(config, job.task, torch.device("cpu"))  # faults are found here
    if job.save is not None:
        check_saved(job.save, stages, str(job.config))
    run = RemoteRun(
        *(job.task, config, device, folder.absolute(), Path.cwd(), time_budget_s, job.overrides)
    )
    gpus = 0 if device == "cpu" else torch.cuda.device_count()
    with open_workers(cluster, gpus) as workers:
        typer.echo(f"Dask's dashboard: {workers.dashboard}", err=True)
        counts = register_on(workers, job, run, resume=resume)
    save_files(job, folder, stages)
    return counts


def register_one(job: Job, device: torch.device, time_budget_s: float | None) -> Counter[str]:
    """Register one pair into the file that the caller has named, and write nothing else."""
    config = load_run(job.config, job.overrides)
    if config.labels:
        raise ConfigError(f"{job.config}: label_weight needs label maps, here are images alone")
    folder = open_folder(job.folder, job.pairs)
    registration, export = Registration(config, job.task, device), ExportField(job.task, folder)
    loop = RegistrationLoop(registration.stages, export, time_budget_s=time_budget_s)
    with progress(1, f"{job.task.name} on {device}") as advance:
        return loop(job.pairs, advance)
