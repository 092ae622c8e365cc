"""How good a network is, in the metrics of its task."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from eval.scoring import Scorer
from l2r.dataset import Pair
from models.networks.base import InvertibleModel, RegistrationModel
from models.spatial.parametrisation import compose
from models.spatial.warp import upsample_field
from models.training.loop import Scores
from models.training.sampling import Reading
from models.types import Fields, Volumes
from pipeline.register.predict import to_numpy
from pipeline.train.picture import Picture, picture

INVERSE = "inverse consistency error"
"""Mean distance in voxels between a place and where the way there and back again leads."""
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

    def __call__(self, model: RegistrationModel) -> Scores:
        """Mean of each quick metric over the pairs that have ground truth for it, and a picture.

        Args:
            model: in evaluation mode, on the device.

        Raises:
            ImageError: an image or a label map cannot be used.
        """
        reading = replace(self.reading, labels=False)
        scorer = Scorer.of(self.reading.task, self.folder)
        found: dict[str, list[float]] = {}
        shown: Picture | None = None
        for pair in self.pairs:
            prepared = reading.prepare(reading.read(pair))
            images = reading.batch(prepared, self.device)
            with torch.inference_mode():
                field, error = _predicted(model, images.fixed, images.moving)
            fine = to_numpy(upsample_field(field, reading.shrink))
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
        return Scores({name: float(np.mean(values)) for name, values in found.items()}, shown)


def _predicted(
    model: RegistrationModel, fixed: Volumes, moving: Volumes
) -> tuple[Fields, float | None]:
    """The field, and how well a network that gives the way back too undoes it in the brain."""
    if not isinstance(model, InvertibleModel):
        return model(fixed, moving), None
    there, back = model.forward_and_inverse(fixed, moving)
    missed = compose(back, there).norm(dim=1, keepdim=True)
    return there, float(missed[fixed > 0].mean())
