"""The main job, from a request to fields on the disk."""

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

from l2r.console import progress
from l2r.errors import ConfigError
from l2r.submission import MANIFEST
from models.weights.registry import find_weights
from pipeline.register.build import build, find_device
from pipeline.register.config import RunConfig, load_run
from pipeline.register.loop import Job, Run
from pipeline.register.manifest import Ledger, gather, settings_of
from pipeline.register.request import Resolved
from pipeline.workdir import open_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class How:
    """What does not decide an output, but where and how fast it comes."""

    device: str = "auto"
    resume: bool = True
    time_budget_s: float | None = None


def register(what: Resolved, how: How) -> Counter[str]:
    """Register all pairs.

    Returns:
        How many pairs are `done`, `skipped`, a `fallback` or `failed`.

    Raises:
        L2RError: nothing could be begun, or the output folder is full.
    """
    config = load_run(what.config).model_copy(update={"task": what.task.name})
    if config.labels and what.asked_for:
        raise ConfigError(f"{what.config}: label_weight needs label maps, here are images alone")
    device = find_device(how.device)
    manifest = what.shard.manifest if what.shard else MANIFEST
    folder = open_folder(what.output, what.pairs if what.asked_for else {*what.pairs, manifest})
    stages = build(config, what.task, device, folder, what.asked_for)
    settings = settings_of(
        what.task,
        config,
        weights=_weights(config),
        device=_describe(device),
        budget=how.time_budget_s,
    )
    job = Job(
        pairs=what.pairs,
        folder=folder,
        shape=what.task.data.shape,
        rule=what.task.field,
        seed=config.seed,
        resume=how.resume,
        time_budget_s=how.time_budget_s,
        labels=config.labels,
    )
    with progress(len(what.pairs), f"{what.task.name} on {device}") as advance:
        ledger = None if what.asked_for else Ledger(folder, settings, manifest)
        counts = Run(job, stages, ledger)(advance)
    if not what.asked_for:
        gather(folder, settings, [*what.pairs, *what.others])
    return counts


def _weights(config: RunConfig) -> Path | None:
    """The file behind the weights, which a run file may give by name."""
    weights = config.model.weights
    return find_weights(weights) if weights else None


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
