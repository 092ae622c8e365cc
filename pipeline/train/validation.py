"""Scores of a network in the quick metrics of its task."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from eval.scoring import Scorer
from l2r.pairs import Pair
from models.networks.base import InvertibleModel, RegistrationModel
from models.networks.passes import MultiPass, PassSettings
from models.spatial.parametrisation import compose
from models.spatial.warp import resize_field
from models.training.config import TrainConfig
from models.training.context import ValidationScores
from models.training.sampling import PairPreprocessor
from models.types import Fields, Volumes
from pipeline.register.predict import to_numpy
from pipeline.train.picture import Picture, picture

INVERSE = "inverse consistency error"
"""Mean distance in voxels that forward and inverse transform together miss a place by."""
QUICK = ("dice", "ndv")
"""Metrics that cost less than the prediction; the others wait for `python -m eval score`."""


@dataclass(frozen=True)
class ValidationScorer:
    """Mean overlap and NDV of the fields that a network predicts for some pairs."""

    preprocessor: PairPreprocessor
    pairs: list[Pair]
    folder: Path
    """The folder of images and label maps."""
    device: torch.device
    passes: PassSettings | None = None
    """Of a network that sees the pair more than once; None: what it sees is prepared for it."""

    def __call__(self, model: RegistrationModel) -> ValidationScores:
        """Mean of each quick metric over the pairs that have ground truth for it, and a picture.

        Args:
            model: in evaluation mode, on the device.

        Raises:
            ImageError: an image or a label map cannot be used.
        """
        preprocessor = replace(self.preprocessor, labels=False)
        scorer = Scorer.of(self.preprocessor.task, self.folder)
        found: dict[str, list[float]] = {}
        shown: Picture | None = None
        for pair in self.pairs:
            prepared = preprocessor.prepare(preprocessor.read(pair))
            images = preprocessor.batch(prepared, self.device)
            with torch.inference_mode():
                field, error = self._predicted(model, images.fixed, images.moving)
            fine = to_numpy(resize_field(field, prepared.fixed.shape))
            vectors = prepared.grid.place(fine)
            for name, result in scorer.score_case(pair, vectors, QUICK).results.items():
                found.setdefault(name, []).append(result.mean)
            if error is not None:
                found.setdefault(INVERSE, []).append(error)
            if shown is None:
                shown = picture(
                    images.fixed[0, 0].cpu().numpy(),
                    images.moving[0, 0].cpu().numpy(),
                    to_numpy(field),
                )
        values = {name: float(np.mean(cases)) for name, cases in found.items()}
        names = (metric.name for metric in scorer.protocol.metrics if metric.metric == "dice")
        overlap = next((values[name] for name in names if name in values), None)
        return ValidationScores(values, shown, overlap)

    def _predicted(
        self, model: RegistrationModel, fixed: Volumes, moving: Volumes
    ) -> tuple[Fields, float | None]:
        if self.passes is None:
            return _predicted(model, fixed, moving)
        return MultiPass(model, self.passes)(fixed, moving)[0], None


def predicted_by(config: TrainConfig) -> PassSettings | None:
    """The passes that a network which was taught so is validated by."""
    return PassSettings(config.passes) if config.in_pieces else None


def _predicted(
    model: RegistrationModel, fixed: Volumes, moving: Volumes
) -> tuple[Fields, float | None]:
    """Predict a field, and its inverse consistency error if the network gives the inverse too."""
    if not isinstance(model, InvertibleModel):
        return model(fixed, moving), None
    forward, inverse = model.forward_and_inverse(fixed, moving)
    missed = compose(inverse, forward).norm(dim=1, keepdim=True)
    return forward, float(missed[fixed > 0].mean())
