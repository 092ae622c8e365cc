"""What every term of the catalogue keeps to."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import get_args

import pytest
import torch
from torch import Tensor

from models.descent.transform import as_map
from models.losses.base import CandidateTransform
from models.losses.catalog import (
    Regulariser,
    SingleSimilarity,
    SumOfSimilarities,
    WeightedSimilarity,
)
from models.losses.dice import SoftDice
from models.losses.lncc import Lncc
from models.losses.mse import Mse
from models.spatial.coordinate_maps import CoordinateMap, ImageBatch
from models.spatial.warp import warp
from models.types import Stacks

SUM = partial(
    SumOfSimilarities,
    parts=(WeightedSimilarity(term=Lncc(window=5)), WeightedSimilarity(weight=0.5, term=Mse())),
)
SIMILARITIES = (*get_args(get_args(SingleSimilarity)[0]), SUM)
REGULARISERS = get_args(get_args(Regulariser)[0])

Term = Callable[[Tensor], Tensor]


class Between(CandidateTransform):
    """The displacement under test, and a fixed one for the inverse."""

    def __init__(self, field: Tensor) -> None:
        self.fixed = field[:, :1]
        self._field = field

    @property
    def optimised(self) -> Tensor:
        return self._field

    @property
    def displacement(self) -> Tensor:
        return self._field

    @property
    def forward(self) -> CoordinateMap:
        return as_map(self._field)

    @cached_property
    def inverse(self) -> CoordinateMap:
        return as_map(0.3 * torch.ones_like(self._field))

    def warp(self, moving: Stacks) -> Stacks:
        return warp(moving, self._field)

    def warp_inverse(self, fixed: ImageBatch) -> ImageBatch:
        return fixed


def regular(kind: type, scale: float = 6.0) -> Term:
    """Scaled so that fields in [0, 1] fold."""
    return lambda field: kind().penalty(Between(scale * field), torch.Generator().manual_seed(0))


def random(channels: int, seed: int, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, channels, 9, 8, 10, generator=generator, dtype=torch.float64)


def terms(batch: slice = slice(None)) -> list[tuple[Term, Tensor]]:
    """Each term with something to penalise."""
    similarities = [
        (kind().bind(random(1, 0)[batch]), random(1, 1)[batch]) for kind in SIMILARITIES
    ]
    labels = [(SoftDice().bind(random(4, 5)[batch]), random(4, 6)[batch])]
    return similarities + labels + [(regular(kind), random(3, 2)[batch]) for kind in REGULARISERS]


COUNT = range(len(terms()))


@pytest.mark.parametrize("number", COUNT)
def test_it_is_one_finite_number_and_the_same_one_again(number: int) -> None:
    term, given = terms()[number]
    assert term(given).shape == ()
    assert term(given).isfinite()
    assert torch.equal(term(given), term(given))


@pytest.mark.parametrize("number", COUNT)
def test_a_step_down_its_gradient_lowers_it(number: int) -> None:
    term, given = terms()[number]
    given.requires_grad_()
    loss = term(given)
    (gradient,) = torch.autograd.grad(loss, given)
    assert gradient.abs().max() > 0
    step = 1e-3 * given.detach().abs().max() / gradient.abs().max()
    assert term(given.detach() - step * gradient) < loss


@pytest.mark.parametrize("number", COUNT)
def test_its_gradient_is_that_of_finite_differences(number: int) -> None:
    term, given = terms(slice(0, 1))[number]
    direction = torch.randn(given.shape, generator=torch.Generator().manual_seed(7)).double()

    def along(distance: Tensor) -> Tensor:
        return term(given + distance * direction)

    at = torch.zeros((), dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(along, at, eps=1e-7, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("number", COUNT[:-1])  # the last, GradICON, draws places per member
def test_a_batch_costs_the_mean_of_its_members(number: int) -> None:
    whole, given = terms()[number]
    singles = []
    for member in (slice(0, 1), slice(1, 2)):
        term, one = terms(member)[number]
        singles.append(term(one))
    torch.testing.assert_close(whole(given), torch.stack(singles).mean())


@pytest.mark.parametrize("kind", SIMILARITIES)
def test_no_image_is_more_similar_than_the_image_itself(kind: type) -> None:
    fixed = random(1, 3)
    assert kind().bind(fixed)(fixed) < kind().bind(fixed)(random(1, 4))


@pytest.mark.parametrize("kind", REGULARISERS)
def test_nothing_is_more_regular_than_rest(kind: type) -> None:
    still = torch.zeros(1, 3, 9, 8, 10, dtype=torch.float64)
    transform = Between(still)
    transform.__dict__["inverse"] = as_map(still)
    assert kind().penalty(transform, torch.Generator()) == pytest.approx(0, abs=1e-20)
