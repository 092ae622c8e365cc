"""The loss around some weights, in the plane of two random directions.

Each filter of a direction is as long as the filter of the weights that it is added to, so that one
step means the same for networks whose weights differ in scale, and pictures can be compared.
Vectors of weights, which are biases and scales of normalisations, stay as they are.

Source:
    Li et al. (2018), Visualizing the Loss Landscape of Neural Nets, arXiv:1712.09913, section 4.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.descent.weights import as_before

Direction = Sequence[Tensor]
"""One tensor per parameter of a network."""


@dataclass(frozen=True)
class Plane:
    """Places around the weights of a network: `weights + a first + b second`."""

    first: Direction
    second: Direction
    steps: tuple[float, ...]
    """Values of `a` and of `b`."""

    @property
    def places(self) -> Iterator[tuple[float, float]]:
        """All of `(a, b)`, the second running faster."""
        return ((a, b) for a in self.steps for b in self.steps)


def plane_around(
    model: nn.Module, random: torch.Generator, *, reach: float = 1.0, points: int = 21
) -> Plane:
    """Two random directions, and steps along them.

    Args:
        model: its weights are the middle.
        random: on the CPU.
        reach: longest step, where 1 is as far as the weights are from zero.
        points: along each direction; an odd number has the weights themselves among them.
    """
    steps = tuple(torch.linspace(-reach, reach, points).tolist())
    return Plane(random_direction(model, random), random_direction(model, random), steps)


def random_direction(model: nn.Module, random: torch.Generator) -> Direction:
    """Normally distributed, each filter as long as that of the weights."""
    return [_like(weights.detach(), random) for weights in model.parameters()]


def heights(
    model: nn.Module, losses: Callable[[], Mapping[str, float]], plane: Plane
) -> Iterator[Mapping[str, float]]:
    """The losses at each of `plane.places`, in their order.

    Args:
        model: is changed on the way, and has the same bits as before when the iterator ends.
        losses: of the model as it is, by name.
        plane: as `plane_around` gives it for this model.
    """
    parameters = list(model.parameters())
    middle = [weights.detach().clone() for weights in parameters]
    with as_before(model):
        for a, b in plane.places:
            parts = zip(parameters, middle, plane.first, plane.second, strict=True)
            with torch.no_grad():
                for weights, centre, one, other in parts:
                    weights.copy_(centre).add_(one, alpha=a).add_(other, alpha=b)
                found = losses()
            yield found


def _like(weights: Tensor, random: torch.Generator) -> Tensor:
    if weights.ndim < 2:
        return torch.zeros_like(weights)
    noise = torch.randn(weights.shape, generator=random).to(weights)
    axes = tuple(range(1, weights.ndim))
    ratios = weights.square().sum(axes, keepdim=True) / noise.square().sum(axes, keepdim=True)
    return noise * ratios.sqrt()
