import time

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from models.deform import DisplacementConfig, VelocityConfig
from models.losses.lncc import LnccConfig
from models.optim.instance import InstanceOptimisationConfig, Level
from models.spatial import warp

LEVELS = (
    Level(shrink=2, control=4, similarity=LnccConfig(window=5), steps=30, learning_rate=0.1),
    Level(shrink=1, control=2, similarity=LnccConfig(window=5), steps=30, learning_rate=0.1),
)


def blobs(seed: int = 0) -> Tensor:
    noise = torch.rand(1, 1, 6, 7, 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size=(24, 28, 20), mode="trilinear")


def true_field() -> Tensor:
    coarse = torch.randn(1, 3, 3, 3, 3, generator=torch.Generator().manual_seed(9))
    return torch.nn.functional.interpolate(coarse, size=(24, 28, 20), mode="trilinear")


def error(field: Tensor) -> float:
    inside = (..., slice(4, -4), slice(4, -4), slice(4, -4))
    return float((field - true_field())[inside].square().mean().sqrt())


@pytest.mark.parametrize("parametrisation", [VelocityConfig(), DisplacementConfig()])
def test_it_recovers_a_known_deformation(
    parametrisation: VelocityConfig | DisplacementConfig,
) -> None:
    moving = blobs()
    fixed = warp(moving, true_field())
    config = InstanceOptimisationConfig(parametrisation=parametrisation, weight=0.05, levels=LEVELS)
    zero = torch.zeros_like(true_field())
    refined = config.build()(fixed, moving, zero)
    assert error(refined.field) < 0.5 * error(zero)
    assert [descent.stopped for descent in refined.course] == ["steps", "steps"]
    assert all(sum(d.losses[d.best]) < sum(d.losses[0]) for d in refined.course)


def test_it_refines_a_prediction_by_what_follows_it() -> None:
    moving = blobs()
    fixed = warp(moving, true_field())
    prediction = 0.7 * true_field()
    config = InstanceOptimisationConfig(weight=0.05, levels=LEVELS)
    assert error(config.build()(fixed, moving, prediction).field) < 0.8 * error(prediction)


def test_without_time_a_prediction_is_returned_as_it_came() -> None:
    prediction = true_field()
    config = InstanceOptimisationConfig(weight=0.05, levels=LEVELS)
    refined = config.build()(blobs(1), blobs(2), prediction, deadline=time.monotonic() - 1)
    torch.testing.assert_close(refined.field, prediction, rtol=0, atol=1e-4)
    assert [descent.stopped for descent in refined.course] == ["deadline"]


def test_a_stiff_regulariser_lets_nothing_move_differently_from_its_neighbour() -> None:
    config = InstanceOptimisationConfig(weight=1e4, levels=LEVELS)
    field = config.build()(blobs(1), blobs(2), torch.zeros(1, 3, 24, 28, 20)).field
    assert all(field.diff(dim=axis).abs().max() < 0.05 for axis in (2, 3, 4))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_two_runs_are_bit_identical(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    config = InstanceOptimisationConfig(weight=0.1, levels=LEVELS)
    given = [v.to(device) for v in (blobs(1), blobs(2), torch.zeros(1, 3, 24, 28, 20))]
    first, second = (config.build()(*given).field for _ in range(2))
    assert torch.equal(first, second)


def test_the_grid_must_hold_every_level() -> None:
    level = {"steps": 1, "learning_rate": 0.1}
    config = InstanceOptimisationConfig.model_validate(
        {
            "weight": 1,
            "levels": [{"shrink": 4, "control": 6, **level}, {"shrink": 2, "control": 2, **level}],
        }
    )
    assert config.grid.multiple == 12


@pytest.mark.parametrize(
    "wrong", [{"levels": []}, {"weight": -1}, {"levels": [{"shrink": 0}]}, {"window": 3}]
)
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    good = {"weight": 1, "levels": [LEVELS[0].model_dump()]}
    InstanceOptimisationConfig.model_validate(good)
    with pytest.raises(ValidationError):
        InstanceOptimisationConfig.model_validate(good | wrong)
