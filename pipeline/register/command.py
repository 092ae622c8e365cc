"""The main job, from resolved words to fields on the disk: over a list, or one named field."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from l2r.console import progress
from l2r.errors import ConfigError
from l2r.submission import MANIFEST
from models.weights.registry import find_weights
from pipeline.device import describe_device, find_device
from pipeline.register.config import RunConfig, load_run
from pipeline.register.export import ExportField
from pipeline.register.ledger import WHOLE, Ledger
from pipeline.register.loop import RegistrationLoop
from pipeline.register.manifest import settings_of
from pipeline.register.request import Job
from pipeline.register.stages import build_stages
from pipeline.workdir import open_folder


@dataclass(frozen=True)
class Execution:
    """Device, resume and time limit of a job: all that decides no field, but the limit."""

    device: str = "auto"
    resume: bool = True
    """Keep what the same job has made before."""
    time_budget_s: float | None = None
    """Wall time per pair."""


def register(job: Job, execution: Execution) -> Counter[str]:
    """Register all pairs of a job.

    Returns:
        Number of pairs by status, see `PairRecord`, and of those `skipped`.

    Raises:
        L2RError: nothing could be begun, or the output folder is full.
    """
    return (register_one if job.one_field else register_list)(job, execution)


def register_list(job: Job, execution: Execution) -> Counter[str]:
    """Register the pairs of a list, with a manifest from which the same job can go on."""
    config, device = load_run(job.config), find_device(execution.device)
    own = {job.shard.journal} if job.shard else {WHOLE, MANIFEST}
    folder = open_folder(job.folder, {*job.pairs, *own})
    stages = build_stages(config, job.task, device)
    settings = settings_of(
        job.task,
        config,
        weights=_weights(config),
        device=describe_device(device),
        budget=execution.time_budget_s,
    )
    journal_name = job.shard.journal if job.shard else WHOLE
    with Ledger(folder, settings, journal_name, {*job.pairs, *job.others}) as ledger:
        loop = RegistrationLoop(
            stages,
            ExportField(job.task, folder),
            ledger=ledger,
            resume=execution.resume,
            time_budget_s=execution.time_budget_s,
        )
        with progress(len(job.pairs), f"{job.task.name} on {device}") as advance:
            return loop(job.pairs, advance)


def register_one(job: Job, execution: Execution) -> Counter[str]:
    """Register one pair into the file that the caller has named, and write nothing else."""
    config, device = load_run(job.config), find_device(execution.device)
    if config.labels:
        raise ConfigError(f"{job.config}: label_weight needs label maps, here are images alone")
    folder = open_folder(job.folder, job.pairs)
    stages, export = build_stages(config, job.task, device), ExportField(job.task, folder)
    loop = RegistrationLoop(stages, export, time_budget_s=execution.time_budget_s)
    with progress(1, f"{job.task.name} on {device}") as advance:
        return loop(job.pairs, advance)


def _weights(config: RunConfig) -> Path | None:
    """The file behind the weights, which a run file may give by name."""
    weights = config.model.weights
    return find_weights(weights) if weights else None
