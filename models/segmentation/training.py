"""Training of a segmentation network, in legs that can be resumed."""

import copy
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from l2r.arrays import triple
from l2r.errors import TrainingError
from models.segmentation.config import SegmentationTraining
from models.segmentation.network import SegmentationNetwork
from models.segmentation.samples import (
    LOOK,
    RealImage,
    SyntheticImages,
    deformed,
    mirrored_at_random,
    target_at,
    with_other_look,
)
from models.segmentation.structures import (
    Probabilities,
    seen_both_ways,
    swap_channels,
    swap_probabilities,
)
from models.training.dataset import generator
from models.training.state import load_state, save_state
from models.types import Scalar, Volumes
from models.weights.load import load_weights
from models.weights.registry import find_weights

_WARM_UP, _EVERY = 50, 2
"""Steps until the full learning rate; the loss looks at one voxel of so many along each axis."""
_EPSILON = 1e-5
_CALIBRATION_RATE = 0.25
_SECONDS_BETWEEN = 120.0


class SegmentationTrainer:
    """A network, the running mean of its weights, and the next step."""

    def __init__(
        self,
        config: SegmentationTraining,
        images: SyntheticImages,
        real: Sequence[RealImage],
        device: torch.device,
    ) -> None:
        """Prepare the first step.

        Args:
            config: settings.
            images: synthesised ones.
            real: may be none if the config has none.
            device: where it computes.

        Raises:
            WeightsError: those to begin with cannot be found or used.
        """
        self._config, self._images, self._real = config, images, real
        self._labelled = [one for one in real if one.channels is not None]
        torch.manual_seed(config.seed)
        self.network = config.network.build()
        if config.weights is None:
            self.network.prior.begin_with(images.maps)
        else:
            load_weights(self.network, find_weights(config.weights))
        self._device = device
        self.network.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.averaged: SegmentationNetwork = copy.deepcopy(self.network)
        self._optimiser = torch.optim.Adam(self.network.parameters(), config.learning_rate)
        self.step = 0

    def run(
        self, folder: Path, time_budget_s: float | None, report: Callable[[int, float], None]
    ) -> bool:
        """Do the steps that are left, or as many as the time allows, and keep the state.

        Args:
            folder: of the checkpoint.
            time_budget_s: wall time; a checkpoint is written at its end.
            report: called with the number of the step and its loss.

        Returns:
            Whether all steps are done.
        """
        began = saved = time.monotonic()
        while self.step < self._config.steps:
            report(self.step, self.train_step())
            now = time.monotonic()
            over = time_budget_s is not None and now - began > time_budget_s
            if over or now - saved > _SECONDS_BETWEEN:
                self.save(folder)
                saved = now
            if over:
                return False
        self.save(folder)
        return True

    def train_step(self) -> float:
        """Descend once.

        Raises:
            TrainingError: the loss is not finite.
        """
        config, random = self._config, generator(self._config.seed, self.step, LOOK)
        real = float(torch.rand((), generator=random)) < config.real
        image, target = (self._of_real if real and self._real_now else self._synthetic)(random)
        with torch.autocast(
            self._device.type, torch.bfloat16, enabled=config.precision == "bfloat16"
        ):
            features = self.network.features(image)
        loss = self._loss(features.float(), image, target, random)
        if not math.isfinite(value := loss.item()):
            raise TrainingError(f"step {self.step + 1}: the loss is {value}; lower learning_rate")
        self._descend(loss)
        self.step += 1
        return value

    def _descend(self, loss: Scalar) -> None:
        config = self._config
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        clip_grad_norm_(self.network.parameters(), config.clip_norm)
        for group in self._optimiser.param_groups:
            group["lr"] = config.learning_rate * self._share()
        self._optimiser.step()
        kept = min(config.ema, 1 - 1 / (self.step + 1))
        with torch.no_grad():
            pairs = zip(self.averaged.parameters(), self.network.parameters(), strict=True)
            for mean, now in pairs:
                mean.lerp_(now, 1 - kept)

    def _share(self) -> float:
        """The learning rate of the step, as a share of the highest."""
        config, warm = self._config, min(1.0, (self.step + 1) / _WARM_UP)
        first, end, highest = 0, config.calibrated_from or config.steps, warm
        if self._calibrates:
            first, end, highest = end, config.steps, _CALIBRATION_RATE
        return highest * (1 + math.cos(math.pi * (self.step - first) / (end - first))) / 2

    @property
    def _calibrates(self) -> bool:
        start = self._config.calibrated_from
        return start is not None and self.step >= start

    def _synthetic(self, random: torch.Generator) -> tuple[Volumes, Tensor]:
        made = self._images(self.step)
        image = with_other_look(made.image.float() / 255, random)
        return mirrored_at_random(image, made.channels, random, swap_channels)

    @property
    def _real_now(self) -> Sequence[RealImage]:
        """Real images that the step may see."""
        if self.step < self._config.real_from:
            return []
        return self._labelled if self._calibrates else self._real

    @torch.no_grad()
    def _of_real(self, random: torch.Generator) -> tuple[Volumes, Tensor]:
        images = self._real_now
        chosen = images[int(torch.randint(len(images), (), generator=random))].to(self._device)
        if float(torch.rand((), generator=random)) < self._config.real_deformed:
            chosen = deformed(chosen, self._config.deformation, random)
        look = with_other_look(chosen.image, random)
        if chosen.channels is not None:
            return mirrored_at_random(look, chosen.channels, random, swap_channels)
        target = seen_both_ways(self._believed, chosen.image)
        return mirrored_at_random(look, target, random, swap_probabilities)

    def _believed(self, image: Volumes) -> Probabilities:
        """Probabilities as the teacher has them."""
        return self.averaged(image).softmax(dim=1)

    def _loss(
        self, features: Tensor, image: Volumes, target: Tensor, random: torch.Generator
    ) -> Scalar:
        """Cross-entropy, and soft Dice at first, on a sub-grid that is drawn anew each time."""
        first = torch.randint(_EVERY, (3,), generator=random).tolist()
        x, y, z = (slice(start, None, _EVERY) for start in first)
        logits = self.network.logits(features, image, (x, y, z))[0].flatten(1)
        target = target_at(target, triple(image.shape[2:]), (x, y, z))
        logs = logits.log_softmax(dim=0)
        found = logs.exp()
        entropy = -(target * logs).sum(dim=0).mean()
        if self._calibrates:
            return entropy
        sizes = target.sum(dim=1)
        dice = 2 * (found * target).sum(dim=1) / (found.sum(dim=1) + sizes + _EPSILON)
        there = sizes[1:] > 1
        return entropy + 1 - dice[1:][there].mean()

    def save(self, folder: Path) -> None:
        """Write the checkpoint.

        Raises:
            OutputError: it cannot be written; what stood there before still stands.
        """
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": self.step,
        }
        save_state(folder, self.settings, state)

    def restore(self, folder: Path) -> None:
        """Go on from the checkpoint, if there is one.

        Raises:
            TrainingError: it is damaged, or of another training.
        """
        if (content := load_state(folder, self.settings)) is None:
            return
        self.network.load_state_dict(content["network"])
        self.averaged.load_state_dict(content["averaged"])
        self._optimiser.load_state_dict(content["optimiser"])
        self.step = content["step"]

    @property
    def settings(self) -> str:
        """The settings that a checkpoint must have been made with."""
        return self._config.model_dump_json()
