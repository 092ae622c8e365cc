"""What every term of the catalogue keeps to."""

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor

from models.losses.catalog import Regulariser, Similarity

SIMILARITIES = get_args(Similarity) or (Similarity,)
REGULARISERS = get_args(Regulariser) or (Regulariser,)

Term = Callable[[Tensor], Tensor]


def random(channels: int, seed: int, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, channels, 9, 8, 10, generator=generator, dtype=torch.float64)


def terms(batch: slice = slice(None)) -> list[tuple[Term, Tensor]]:
    """Each term with something to judge."""
    similarities = [
        (kind().bind(random(1, 0)[batch]), random(1, 1)[batch]) for kind in SIMILARITIES
    ]
    return similarities + [(kind(), random(3, 2)[batch]) for kind in REGULARISERS]


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
