import math
import time

import pytest
import torch
from torch import Tensor

from models.optim.combine import Losses, plain_sum
from models.optim.descend import descend


def parabola(at: Tensor, centre: float) -> Tensor:
    return ((at - centre) ** 2).sum()


def test_it_finds_the_minimum_of_the_sum_of_two_objectives() -> None:
    x = torch.zeros(2, requires_grad=True)
    descent = descend(
        [x],
        lambda: (parabola(x, 1), parabola(x, 3)),
        torch.optim.Adam([x], lr=0.2),
        steps=200,
    )
    torch.testing.assert_close(x.detach(), torch.full((2,), 2.0), atol=1e-2, rtol=0)
    assert descent.stopped == "steps"
    assert len(descent.losses) == 200
    assert all(len(values) == 2 for values in descent.losses)


def test_it_leaves_the_best_iterate_and_not_the_last() -> None:
    x = torch.tensor([1.0], requires_grad=True)
    descent = descend([x], lambda: (parabola(x, 0),), torch.optim.SGD([x], lr=1.5), steps=5)
    assert descent.best == 0  # every step overshoots further
    assert x.item() == 1.0


def test_its_value_belongs_to_the_iterate_that_it_leaves() -> None:
    x = torch.tensor([3.0, -2.0], requires_grad=True)
    descent = descend([x], lambda: (parabola(x, 1),), torch.optim.Adam([x], lr=1.3), steps=17)
    assert sum(descent.losses[descent.best]) == pytest.approx(float(parabola(x.detach(), 1)))
    assert sum(descent.losses[descent.best]) == min(sum(values) for values in descent.losses)


def test_a_deadline_that_has_passed_leaves_the_start() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    descent = descend(
        [x],
        lambda: (parabola(x, 1),),
        torch.optim.Adam([x]),
        steps=5,
        deadline=time.monotonic() - 1,
    )
    assert (descent.stopped, descent.losses, x.item()) == ("deadline", (), 3.0)


def test_it_stops_before_the_deadline_and_keeps_what_it_has() -> None:
    x = torch.tensor([3.0], requires_grad=True)

    def slow() -> Losses:
        time.sleep(0.02)
        return (parabola(x, 1),)

    deadline = time.monotonic() + 0.3
    descent = descend([x], slow, torch.optim.Adam([x], lr=0.1), steps=10_000, deadline=deadline)
    assert time.monotonic() < deadline + 0.05
    assert descent.stopped == "deadline"
    assert len(descent.losses) > 1
    assert x.item() < 3.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_it_ends_at_a_loss_that_is_no_number_with_the_best_before(bad: float) -> None:
    x = torch.tensor([3.0], requires_grad=True)
    values = iter([1.0, 1.0, bad, 1.0])
    descent = descend(
        [x], lambda: (parabola(x, 1) * next(values),), torch.optim.Adam([x], lr=0.1), steps=4
    )
    assert descent.stopped == "diverged"
    assert len(descent.losses) == 2
    assert x.isfinite().all()


def test_it_ends_at_a_gradient_that_is_no_number() -> None:
    x = torch.zeros(1, requires_grad=True)
    descent = descend([x], lambda: (x.sqrt().sum() * 0,), torch.optim.Adam([x]), steps=3)
    assert (descent.stopped, x.item()) == ("diverged", 0.0)


def test_the_combination_decides_the_direction() -> None:
    x = torch.tensor([0.0], requires_grad=True)

    def second_only(losses: Losses, parameters: list[Tensor]) -> tuple[Tensor, ...]:
        return torch.autograd.grad(losses[1], parameters)

    losses = lambda: (parabola(x, -5), parabola(x, 1))  # noqa: E731
    descend([x], losses, torch.optim.SGD([x], lr=0.1), steps=2, combine=second_only)
    assert x.item() == 0.0  # the sum grew, so the start was best
    plain = plain_sum(losses(), [x])[0]
    torch.testing.assert_close(plain, torch.tensor([8.0]))


def test_the_same_descent_twice_is_bit_identical() -> None:
    def once() -> Tensor:
        x = torch.linspace(-1, 1, 7).requires_grad_()
        descend([x], lambda: (x.sin().sum(), x.square().sum()), torch.optim.Adam([x]), steps=9)
        return x.detach()

    assert torch.equal(once(), once())
