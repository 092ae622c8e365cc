"""Checkpoints: a resumed training goes on as if it had not stopped."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from l2r.disk import writing
from l2r.errors import ConfigError, OutputError, TrainingError
from models.training.step import TrainStep

CHECKPOINT = "checkpoint.pt"
PREVIOUS = "checkpoint-previous.pt"
BEST = "best.safetensors"
LAST = "last.safetensors"
SETTINGS = "training.json"
_FORMAT = 2


@dataclass
class Progress:
    """Epoch and step of a training, and its sums so far."""

    epoch: int = 0
    step: int = 0
    """Of the epoch, the next one."""
    skipped: int = 0
    """Steps that were not taken because a loss or a gradient was not finite."""
    in_a_row: int = 0
    """Of those, the last ones without one between that was taken."""
    sums: dict[str, float] = field(default_factory=dict)
    """Sum of each loss over the steps of the epoch that were taken."""
    taken: int = 0
    """Steps of the epoch that were taken."""
    parts: dict[str, float] = field(default_factory=dict)
    """Sum of each part of a summed similarity over the steps of the epoch that were taken."""
    seconds: float = 0.0
    """Wall time of the epoch's steps, pairs made and files read."""
    best: float | None = None
    """The lowest mean loss of the validation pairs so far, or the highest Dice, negative."""

    def means(self, names: Iterable[str]) -> dict[str, float]:
        """Mean of each loss over the steps of the epoch that were taken; NaN if none was."""
        nan = float("nan")
        return {name: self.sums[name] / self.taken if self.taken else nan for name in names}

    @property
    def mean_parts(self) -> dict[str, float]:
        """Mean of each part over the steps of the epoch that were taken."""
        return {name: value / max(self.taken, 1) for name, value in self.parts.items()}

    def count(
        self,
        losses: Mapping[str, float] | None,
        parts: Mapping[str, float] | None = None,
        seconds: float = 0.0,
    ) -> None:
        """A step was done, or skipped.

        Args:
            losses: None if it was skipped.
            parts: of a summed similarity.
            seconds: wall time of the step.
        """
        self.step, self.seconds = self.step + 1, self.seconds + seconds
        if losses is None:
            self.skipped, self.in_a_row = self.skipped + 1, self.in_a_row + 1
            return
        self.in_a_row, self.taken = 0, self.taken + 1
        self.sums = {name: self.sums.get(name, 0.0) + loss for name, loss in losses.items()}
        for name, value in (parts or {}).items():  # a guided step may have none
            self.parts[name] = self.parts.get(name, 0.0) + value

    def next_epoch(self) -> None:
        """The epoch is over."""
        self.epoch, self.step, self.sums, self.taken = self.epoch + 1, 0, {}, 0
        self.parts, self.seconds = {}, 0.0


def snapshot(train_step: TrainStep, progress: Progress) -> dict[str, Any]:
    """Copy out weights, moments and place of a training, for a checkpoint."""
    return {
        "position": asdict(progress),
        "model": train_step.objective.model.state_dict(),
        "optimiser": train_step.optimiser.state_dict(),
        "averaged": train_step.averaged.state_dict() if train_step.averaged else None,
    }


def restore(train_step: TrainStep, state: Mapping[str, Any]) -> Progress:
    """Put a training back to where a snapshot was taken."""
    train_step.objective.model.load_state_dict(state["model"])
    train_step.optimiser.load_state_dict(state["optimiser"])
    if train_step.averaged is not None:
        train_step.averaged.load_state_dict(state["averaged"])
    return Progress(**state["position"])


def refuse_begun(folder: Path, *, resume: bool) -> None:
    """Refuse a folder that holds a training, unless this one goes on with it.

    Raises:
        ConfigError: it does.
    """
    if (folder / CHECKPOINT).exists() and not resume:
        raise ConfigError(
            f"{folder}: holds a training that was begun before; add --resume to go on with it, or "
            "give another --output"
        )


def save_state(folder: Path, settings: str, state: Mapping[str, Any]) -> None:
    """Write the checkpoint; the last one before it is kept beside.

    Raises:
        OutputError: it cannot be written; what stood there before still stands.
    """
    content = {"format": _FORMAT, "settings": settings, **state}
    path = folder / CHECKPOINT
    try:
        with writing(path.with_suffix(".new")) as file:
            torch.save(content, file)
    except RuntimeError as cause:  # what torch makes of a full disk
        raise OutputError(f"{path}: cannot be written: {cause}") from None
    with suppress(FileNotFoundError):
        path.replace(folder / PREVIOUS)
    path.with_suffix(".new").replace(path)


def load_state(folder: Path, settings: str) -> dict[str, Any] | None:
    """Read what the checkpoint of a training goes on from; None if there is no checkpoint.

    Raises:
        TrainingError: the checkpoint is damaged, or of another training.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    content = _read(path)
    if content.get("format") != _FORMAT or content["settings"] != settings:
        raise TrainingError(
            f"{path}: of a training with other settings; give another --output, or the settings "
            f"that it was begun with ({folder / SETTINGS})"
        )
    return content


def export(path: Path, model: nn.Module) -> None:
    """Write the weights alone, as a run file takes them.

    Raises:
        OutputError: they cannot be written.
    """
    state = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    with writing(path) as file:
        file.write(save(state))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # a damaged pickle can raise anything
        raise TrainingError(
            f"{path}: damaged or cut off; rename {PREVIOUS} beside it to {CHECKPOINT} to go on "
            "from the checkpoint before"
        ) from cause
    if not isinstance(content, dict):
        raise TrainingError(f"{path}: no checkpoint of a training")
    return content
