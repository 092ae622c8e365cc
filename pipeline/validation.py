"""How good a network is, in the metrics of its task."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from eval.evaluate import WARPS
from eval.metrics.base import Case, MetricBase
from eval.protocol import protocol_of
from eval.truth import GroundTruth
from l2r.arrays import triple
from l2r.dataset import Pair
from models.base import RegistrationModel
from models.training.images import Reading
from pipeline.predict import to_numpy

QUICK = ("dice", "ndv")
"""Metrics that cost less than the prediction; the others wait for `python -m eval score`."""


@dataclass(frozen=True)
class Validation:
    """Mean overlap and folded volume of the fields that a network predicts for some pairs."""

    reading: Reading
    """How the network sees images."""
    pairs: list[Pair]
    folder: Path
    """Of images and label maps."""
    device: torch.device

    def __call__(self, model: RegistrationModel) -> dict[str, float]:
        """Mean of each quick metric over the pairs that have ground truth for it.

        Args:
            model: in evaluation mode, on the device.

        Raises:
            ImageError: an image or a label map cannot be used.
        """
        reading, truth = replace(self.reading, labels=False), GroundTruth(self.folder)
        found: dict[str, list[float]] = {}
        for pair in self.pairs:
            stored = reading.read(pair)
            images = reading.make(stored, self.device)
            with torch.inference_mode():
                field = to_numpy(model(images.fixed, images.moving))
            vectors = reading.grid(triple(stored[0].shape)).place(field)
            case = self._case(pair, vectors, truth)
            for metric in self._metrics(pair, truth):
                found.setdefault(metric.name, []).append(metric(case).mean)
        return {name: float(np.mean(values)) for name, values in found.items()}

    def _case(self, pair: Pair, vectors: np.ndarray, truth: GroundTruth) -> Case:
        protocol = protocol_of(self.reading.task)
        return Case(pair, vectors, truth, protocol.labels, WARPS[protocol.warp])

    def _metrics(self, pair: Pair, truth: GroundTruth) -> list[MetricBase]:
        metrics = protocol_of(self.reading.task).metrics
        quick = [metric for metric in metrics if metric.metric in QUICK]
        return [metric for metric in quick if metric.has_truth(pair, truth)]
