import math
import time
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.descent.loop import Convergence, Goal, StopConditions, descend, sum_of
from models.optim.combine import Combined, Losses, ProjectOne


def parabola(at: Tensor, centre: float) -> Tensor:
    return ((at - centre) ** 2).sum()


def test_it_finds_the_minimum_of_the_sum_of_two_objectives() -> None:
    x = torch.zeros(2, requires_grad=True)
    goal = Goal(lambda: {"a": parabola(x, 1), "b": parabola(x, 3)})
    descent = descend([x], goal, torch.optim.Adam([x], lr=0.2), StopConditions(200))
    torch.testing.assert_close(x.detach(), torch.full((2,), 2.0), atol=1e-2, rtol=0)
    assert (descent.stopped, descent.skipped) == ("steps", 0)
    assert len(descent.losses) == 201
    assert all(len(values) == 2 for values in descent.losses)


def test_so_many_steps_are_taken_and_the_last_is_judged_too() -> None:
    x = torch.tensor([10.0], requires_grad=True)
    descent = descend(
        [x], Goal(lambda: {"a": x.sum()}), torch.optim.SGD([x], lr=1.0), StopConditions(3)
    )
    assert x.item() == 7.0
    assert descent.losses == ({"a": 10.0}, {"a": 9.0}, {"a": 8.0}, {"a": 7.0})


def test_it_leaves_the_best_iterate_and_not_the_last() -> None:
    x = torch.tensor([1.0], requires_grad=True)
    goal = Goal(lambda: {"a": parabola(x, 0)})
    descent = descend([x], goal, torch.optim.SGD([x], lr=1.5), StopConditions(5))
    assert descent.best == 0  # every step overshoots further
    assert x.item() == 1.0


def test_its_value_belongs_to_the_iterate_that_it_leaves() -> None:
    x = torch.tensor([3.0, -2.0], requires_grad=True)
    goal = Goal(lambda: {"a": parabola(x, 1)})
    descent = descend([x], goal, torch.optim.Adam([x], lr=1.3), StopConditions(17))
    assert sum_of(descent.losses[descent.best]) == pytest.approx(float(parabola(x.detach(), 1)))
    assert sum_of(descent.losses[descent.best]) == min(map(sum_of, descent.losses))


def test_the_score_decides_what_is_best() -> None:
    x = torch.tensor([0.0], requires_grad=True)
    goal = Goal(
        lambda: {"a": parabola(x, 5), "b": parabola(x, 0)}, score=lambda values: values["b"]
    )
    descent = descend([x], goal, torch.optim.SGD([x], lr=0.1), StopConditions(10))
    assert (descent.best, x.item()) == (0, 0.0)


def test_what_belongs_to_an_iterate_is_kept_with_it() -> None:
    x, seen = torch.tensor([1.0], requires_grad=True), torch.zeros(1)

    def losses() -> Losses:
        seen.copy_(x.detach())
        return {"a": parabola(x, 0)}

    descend([x], Goal(losses), torch.optim.SGD([x], lr=1.5), StopConditions(5), buffers=[seen])
    assert seen.item() == 1.0


def test_a_deadline_that_has_passed_leaves_the_start() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    goal = Goal(lambda: {"a": parabola(x, 1)})
    limits = StopConditions(5, deadline=time.monotonic() - 1)
    descent = descend([x], goal, torch.optim.Adam([x]), limits)
    assert (descent.stopped, descent.losses, x.item()) == ("deadline", (), 3.0)


def test_it_stops_before_the_deadline_and_keeps_what_it_has() -> None:
    x = torch.tensor([3.0], requires_grad=True)

    def slow() -> Losses:
        time.sleep(0.02)
        return {"a": parabola(x, 1)}

    limits = StopConditions(10_000, deadline=time.monotonic() + 0.3)
    descent = descend([x], Goal(slow), torch.optim.Adam([x], lr=0.1), limits)
    assert time.monotonic() < limits.deadline + 0.05
    assert descent.stopped == "deadline"
    assert len(descent.losses) > 1
    assert x.item() < 3.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_step_whose_loss_is_no_number_is_skipped_and_counted(bad: float) -> None:
    x = torch.tensor([3.0], requires_grad=True)
    factors = iter([1.0, 1.0, bad, 1.0, 1.0, 1.0])
    goal = Goal(lambda: {"a": parabola(x, 1) * next(factors)})
    descent = descend([x], goal, torch.optim.Adam([x], lr=0.1), StopConditions(5))
    assert (descent.stopped, descent.skipped) == ("steps", 1)
    assert len(descent.losses) == 5
    assert sum_of(descent.losses[descent.best]) < sum_of(descent.losses[1])
    assert x.isfinite().all()


def test_it_turns_back_to_the_best_iterate_from_where_it_cannot_go_on() -> None:
    x = torch.tensor([1.0], requires_grad=True)
    goal = Goal(lambda: {"a": x.log().sum()})  # NaN below zero, lower and lower towards it
    descent = descend([x], goal, torch.optim.SGD([x], lr=0.3), StopConditions(40))
    assert descent.skipped > 0
    assert 0 < x.item() < 1


def test_it_ends_where_nothing_but_nan_follows_with_the_best_before() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    factors = iter([1.0, 1.0, *[math.nan] * 96])
    goal = Goal(lambda: {"a": parabola(x, 1) * next(factors)})
    descent = descend([x], goal, torch.optim.Adam([x], lr=0.1), StopConditions(97))
    assert descent.stopped == "diverged"
    assert len(descent.losses) == 2
    assert 1 < x.item() < 3.0


def test_a_gradient_that_is_no_number_does_not_move_it() -> None:
    x = torch.zeros(1, requires_grad=True)
    goal = Goal(lambda: {"a": x.sqrt().sum() * 0})
    descent = descend([x], goal, torch.optim.Adam([x]), StopConditions(9))
    assert (descent.stopped, x.item()) == ("diverged", 0.0)


class SecondOnly(ProjectOne):
    def __call__(
        self,
        losses: Losses,
        parameters: Sequence[Tensor],
        generator: torch.Generator,  # noqa: ARG002 - nothing is drawn
    ) -> Combined:
        return Combined(torch.autograd.grad(losses["b"], parameters), {("a", "b"): -0.5})


def test_the_combination_decides_the_direction() -> None:
    x = torch.tensor([0.0], requires_grad=True)
    goal = Goal(lambda: {"a": parabola(x, -5), "b": parabola(x, 1)}, combine=SecondOnly())
    descent = descend([x], goal, torch.optim.SGD([x], lr=0.1), StopConditions(2))
    assert x.item() == 0.0  # the sum grew, so the start was best
    assert descent.losses[1]["b"] < descent.losses[0]["b"]
    assert descent.cosines == ({("a", "b"): -0.5},) * 2


def test_the_conflict_rate_is_the_share_of_steps_that_conflict() -> None:
    x = torch.tensor([0.0], requires_grad=True)
    goal = Goal(lambda: {"a": parabola(x, 1), "b": parabola(x, 3)}, combine=ProjectOne())
    descent = descend([x], goal, torch.optim.SGD([x], lr=0.15), StopConditions(6))
    assert len(descent.cosines) == 6  # one dimension: 1 until x is between 1 and 3, then -1
    between = [sum(map(math.sqrt, step.values())) < 2.01 for step in descent.losses]
    assert [step["a", "b"] < 0 for step in descent.cosines] == between[:6]
    assert 0 < descent.conflict_rate < 1
    assert descent.conflict_rate == sum(between[:6]) / 6


def test_without_gradients_apart_there_is_no_conflict_rate() -> None:
    x = torch.tensor([0.0], requires_grad=True)
    goal = Goal(lambda: {"a": parabola(x, 1), "b": parabola(x, 3)})
    assert descend([x], goal, torch.optim.SGD([x], lr=0.1), StopConditions(3)).conflict_rate is None


def test_it_stops_when_hardly_anything_is_gained_any_more() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    goal = Goal(lambda: {"a": parabola(x, 1)})
    limits = StopConditions(10_000, convergence=Convergence(window=5, share=0.01))
    descent = descend([x], goal, torch.optim.SGD([x], lr=0.05), limits)
    assert descent.stopped == "converged"
    assert 20 < len(descent.losses) < 60
    assert abs(x.item() - 1) < 0.3


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.integers(1, 6), st.floats(1e-3, 0.5))
def test_convergence_knows_neither_scale_nor_offset(
    scale: float, offset: float, window: int, share: float
) -> None:
    rule = Convergence(window=window, share=share)
    scores = [math.exp(-0.2 * step) for step in range(80)]
    ends = [
        next(n for n in range(1, 81) if rule.reached(given[:n]))
        for given in (scores, [scale * value + offset for value in scores])
    ]
    assert abs(ends[0] - ends[1]) <= 1  # rounding may decide


def test_convergence_waits_for_two_windows() -> None:
    assert not Convergence(window=4).reached([1.0] * 7)
    assert Convergence(window=4).reached([2.0] + [1.0] * 8)


def test_the_same_descent_twice_is_bit_identical() -> None:
    def once() -> Tensor:
        x = torch.linspace(-1, 1, 7).requires_grad_()
        random = torch.Generator().manual_seed(3)
        goal = Goal(
            lambda: {"a": x.sin().sum(), "b": x.square().sum()}, combine=ProjectOne(), random=random
        )
        descend([x], goal, torch.optim.Adam([x]), StopConditions(9))
        return x.detach()

    assert torch.equal(once(), once())
