"""A training objective around given weights, as a table that a picture can be drawn from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from l2r.console import progress
from l2r.disk import write_csv
from l2r.errors import ConfigError
from l2r.pairs import Pair
from l2r.task import load_task
from models.descent.objective import ImagePair
from models.networks.base import RegistrationModel
from models.training.cache import Cache
from models.training.config import TrainConfig, load_training
from models.training.dataset import generator
from models.training.landscape import heights, plane_around
from models.training.sampling import ListedPairs, PairPreprocessor
from models.training.step import Objective, mean_losses
from models.weights.load import build_network
from pipeline.device import find_device


@dataclass(frozen=True)
class LandscapeRequest:
    """Arguments of a loss landscape."""

    config: Path
    """The training file: objective, network, grid."""
    weights: Path
    pairs: Sequence[Pair]
    """That the losses are a mean over."""
    reach: float
    points: int
    device: str = "auto"


def landscape(request: LandscapeRequest, output: Path) -> None:
    """Write the mean losses at each place of the plane, one row per place.

    Without guidance: what is looked at is how well images are brought together.

    Raises:
        L2RError: something cannot be used.
    """
    config, device = load_training(request.config), find_device(request.device)
    if not config.model.trainable:
        raise ConfigError(f"{request.config}: network 'identity' has no weights to look around")
    network = config.model.model_copy(update={"weights": request.weights})
    model = build_network(network).to(device).eval()
    plane = plane_around(model, generator(config.seed), reach=request.reach, points=request.points)
    losses_here = _losses(config, model, _cases(request, config, model, device))
    rows = []
    with progress(request.points**2, "landscape") as advance:
        for place, losses in zip(plane.places, heights(model, losses_here, plane), strict=True):
            rows.append((*place, *losses.values()))
            advance(f"{place[0]:+.2f} {place[1]:+.2f}: {sum(losses.values()):.4f}")
    write_csv(output, ("first", "second", *config.objective.objectives), rows)


def _cases(
    request: LandscapeRequest, config: TrainConfig, model: RegistrationModel, device: torch.device
) -> list[ImagePair]:
    labels = config.objective.label_weight is not None
    with TemporaryDirectory() as folder:
        cache = Cache(Path(folder))
        task = load_task(config.task)
        preprocessor = PairPreprocessor(
            task,
            config.grid(model.grid),
            cache,
            labels=labels,
            structures=config.data.structures,
            shrink=config.shrink,
            maps=config.in_pieces,
        )
        pairs = ListedPairs(request.pairs, preprocessor)
        return [pairs.read(0, number)(device) for number in range(len(pairs))]


def _losses(
    config: TrainConfig, model: RegistrationModel, cases: list[ImagePair]
) -> Callable[[], dict[str, float]]:
    objective = Objective(model, config)

    def mean() -> dict[str, float]:
        found = [
            {name: float(loss) for name, loss in objective(case, random).items()}
            for case, random in ((c, generator(config.seed, n)) for n, c in enumerate(cases))
        ]
        return mean_losses(found)

    return mean
