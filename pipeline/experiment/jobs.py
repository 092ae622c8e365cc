"""The jobs of an experiment: train, register and score, each in a process of its own.

So seconds and peak memory are those of one job. What is done is not done again: trainings and runs
go on where they stopped, and a score is kept as long as the manifest that it was made of.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from l2r.disk import sha256, writing
from l2r.errors import TrainingError
from l2r.submission import MANIFEST
from models.training.state import CHECKPOINT
from pipeline.experiment.config import (
    ComparedSystem,
    ExperimentConfig,
    ExperimentData,
    TrainingOfSystem,
)

_STDERR = 2
"""File descriptor: the table alone is written to standard output."""
STOPPED = 1
"""Exit code of a training whose time is up, and of a run in which some pairs were not improved."""


@dataclass(frozen=True)
class SystemRun:
    """One system with one seed, and its folder."""

    system: ComparedSystem
    seed: int
    folder: Path

    @property
    def training(self) -> Path:
        """Folder of weights and log."""
        return self.folder / "training"

    @property
    def trained(self) -> Path:
        """Record of a training that is done: seconds, and settings that it was done with."""
        return self.folder / "training-done.json"

    @property
    def fields(self) -> Path:
        """Folder of the fields."""
        return self.folder / "fields"

    @property
    def metrics(self) -> Path:
        """Scores of the fields."""
        return self.folder / "metrics.json"

    @property
    def scored(self) -> Path:
        """Hash of the manifest that was scored."""
        return self.folder / "metrics-of.json"


def runs_of(config: ExperimentConfig, folder: Path) -> Iterator[SystemRun]:
    """Every system with every seed, seed by seed, so that a broken experiment compares all."""
    for seed in config.seeds:
        for system in config.systems:
            yield SystemRun(system, seed, folder / system.name / f"seed-{seed}")


def do(config: ExperimentConfig, run: SystemRun) -> None:
    """Train, register and score, whatever of it is not done yet.

    Raises:
        TrainingError: a job failed; its own message stands above.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    if run.system.training is not None:
        _train(config.data, run, run.system.training)
    _register(config, run)
    _score(config, run)


def _train(data: ExperimentData, run: SystemRun, training: TrainingOfSystem) -> None:
    settings = training.model_dump(mode="json") | data.model_dump(mode="json")
    if run.trained.is_file() and json.loads(run.trained.read_text())["settings"] == settings:
        return
    resume = (run.training / CHECKPOINT).is_file() and training.time_budget_s is None
    if not resume:  # a time budget is spent in one go
        shutil.rmtree(run.training, ignore_errors=True)
    began = time.monotonic()
    code = _pipeline([*_words(data, run, training), *(["--resume"] if resume else [])])
    weights = run.training / training.weights
    in_time = code == 0 or (code == STOPPED and training.time_budget_s is not None)
    if not in_time or not weights.is_file():
        raise TrainingError(
            f"{run.system.name}, seed {run.seed}: the training ended with code {code} and "
            f"{'with' if weights.is_file() else 'without'} {weights}; see above, then call again"
        )
    content = {"seconds": time.monotonic() - began, "settings": settings}
    with writing(run.trained) as file:
        file.write(json.dumps(content, indent=1).encode())


def _words(data: ExperimentData, run: SystemRun, training: TrainingOfSystem) -> list[object]:
    words: list[object] = ["train", training.file, "--output", run.training]
    places = {"--data": data.training, "--maps": data.maps, "--validation": data.validation}
    for option, place in places.items():
        words += [] if place is None else [option, place]
    for text in (*training.overrides, f"seed={run.seed}"):
        words += ["--set", text]
    if training.time_budget_s is not None:
        words += ["--time-budget", training.time_budget_s]
    return words


def _register(config: ExperimentConfig, run: SystemRun) -> None:
    words: list[object] = ["run", "--config", run.system.run, "--task", config.task]
    words += ["--dataset", config.dataset, "--split", config.split, "--output", run.fields]
    words += ["--input", config.input] if config.input else []
    words += ["--limit", config.limit] if config.limit else []
    overrides = [*run.system.overrides, f"seed={run.seed}"]
    if run.system.training is not None:
        overrides.append(f"model.weights={run.training / run.system.training.weights}")
    for text in overrides:
        words += ["--set", text]
    code = _pipeline(words)
    if code not in {0, STOPPED}:
        raise TrainingError(f"{run.system.name}, seed {run.seed}: the run ended with code {code}")


def _score(config: ExperimentConfig, run: SystemRun) -> None:
    manifest = sha256(run.fields / MANIFEST)
    done = run.metrics.is_file() and run.scored.is_file()
    if done and json.loads(run.scored.read_text()) == manifest:
        return
    dataset = _limited(config, run.folder)
    words: list[object] = ["score", run.fields, "--task", config.task, "--dataset", dataset]
    words += ["--ground-truth", config.input or config.dataset.parent]
    words += ["--split", config.split, "--output", run.metrics]
    if code := _pipeline(words):
        raise TrainingError(f"{run.system.name}, seed {run.seed}: scoring ended with code {code}")
    with writing(run.scored) as file:
        file.write(json.dumps(manifest).encode())


def _limited(config: ExperimentConfig, folder: Path) -> Path:
    """The pair list, cut to the pairs that are registered."""
    if config.limit is None:
        return config.dataset
    content = json.loads(config.dataset.read_text())
    lists = content if isinstance(content, dict) else {config.split: content}
    cut = {
        key: value[: config.limit] if isinstance(value, list) and key != "training" else value
        for key, value in lists.items()
    }
    path = folder / "pairs.json"
    with writing(path) as file:
        file.write(json.dumps(cut).encode())
    return path


def _pipeline(words: Sequence[object]) -> int:
    command = [sys.executable, "-m", "pipeline", *map(str, words)]
    return subprocess.run(command, stdout=_STDERR, check=False).returncode  # noqa: S603
