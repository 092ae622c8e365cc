"""Refinements: each makes the displacement field of one pair better."""

import torch

from models.optim.descend import Descent
from models.optim.instance import InstanceOptimisation
from pipeline.predict import field_to_torch, to_numpy, to_torch
from pipeline.stage import Predicted


class RefineByDescent:
    """Instance optimisation as a stage."""

    def __init__(self, optimise: InstanceOptimisation, device: torch.device) -> None:
        self._optimise, self._device = optimise, device

    def __call__(self, item: Predicted, /) -> Predicted:
        prepared, device = item.prepared, self._device
        result = self._optimise(
            to_torch(prepared.fixed, device),
            to_torch(prepared.moving, device),
            field_to_torch(item.vectors, device),
            prepared.deadline,
        )
        levels = [_summary(descent) for descent in result.course]
        return item.refined(to_numpy(result.field), {"levels": levels})


def _summary(descent: Descent) -> dict[str, object]:
    """A descent without its whole course; losses are one number per objective."""
    summary: dict[str, object] = {"steps": len(descent.losses), "stopped": descent.stopped}
    if descent.losses:
        summary |= {
            "best_step": descent.best,
            "losses_at_start": descent.losses[0],
            "losses_at_best": descent.losses[descent.best],
        }
    return summary
