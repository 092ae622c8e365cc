"""Losses around some weights."""

import pytest
import torch
from torch import Tensor, nn

from models.training.landscape import Plane, heights, plane_around, random_direction
from tests.models.networks.small_networks import awake
from tests.models.training.conftest import NETWORK


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_filter_of_a_direction_is_as_long_as_that_of_the_weights() -> None:
    model = awake(NETWORK)
    direction = random_direction(model, random())
    for weights, step in zip(model.parameters(), direction, strict=True):
        assert step.shape == weights.shape
        if weights.ndim < 2:
            assert not step.any()
        else:
            norms = weights.detach().flatten(1).norm(dim=1)
            torch.testing.assert_close(step.flatten(1).norm(dim=1), norms)


def test_two_directions_have_hardly_anything_in_common() -> None:
    plane = plane_around(awake(NETWORK), random())
    first, second = (torch.cat([p.flatten() for p in d]) for d in (plane.first, plane.second))
    assert abs(float(first @ second / first.norm() / second.norm())) < 0.1
    again = plane_around(awake(NETWORK), random())
    assert all(torch.equal(a, b) for a, b in zip(plane.first, again.first, strict=True))


def test_a_filter_of_zeros_stays_where_it_is() -> None:
    model = nn.Linear(3, 2)
    nn.init.zeros_(model.weight)
    weights, _ = random_direction(model, random())
    assert not weights.any()


class Point(nn.Module):
    def __init__(self, *at: float) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor([at]))


def test_the_losses_are_those_at_each_place() -> None:
    model = Point(1.0, 2.0)
    plane = Plane((torch.tensor([[1.0, 0.0]]),), (torch.tensor([[0.0, 3.0]]),), (-1.0, 0.0, 1.0))

    def loss() -> dict[str, float]:
        assert not model.at.detach().requires_grad
        return dict(zip("ab", model.at.detach()[0].tolist(), strict=True))

    found = list(heights(model, loss, plane))
    assert found == [{"a": 1 + a, "b": 2 + 3 * b} for a, b in plane.places]
    assert list(plane.places)[:4] == [(-1.0, -1.0), (-1.0, 0.0), (-1.0, 1.0), (0.0, -1.0)]
    assert model.at.tolist() == [[1.0, 2.0]]


def test_the_weights_are_as_before_whatever_happens() -> None:
    model = awake(NETWORK)
    before = [weights.detach().clone() for weights in model.parameters()]

    def loss() -> dict[str, float]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        list(heights(model, loss, plane_around(model, random(), points=3)))
    assert all(map(torch.equal, model.parameters(), before))


@pytest.mark.parametrize("points", [2, 5])
def test_the_steps_reach_as_far_as_is_said(points: int) -> None:
    plane = plane_around(Point(1.0), random(), reach=0.5, points=points)
    assert (plane.steps[0], plane.steps[-1], len(plane.steps)) == (-0.5, 0.5, points)
    assert (0.0 in plane.steps) == (points % 2 == 1)


def test_a_direction_has_the_precision_of_the_weights() -> None:
    half: list[Tensor] = list(random_direction(nn.Linear(4, 4).half(), random()))
    assert half[0].dtype == torch.float16
