import time
from typing import get_args

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from models.descent.field import InstanceOptimisationConfig, ResolutionLevel
from models.descent.loop import Convergence, sum_of
from models.descent.objective import ImagePair, Refined, WeightedRegulariser
from models.losses.bending import Bending
from models.losses.catalog import Regulariser
from models.losses.diffusion import Diffusion
from models.losses.folding import Folding
from models.losses.lncc import Lncc
from models.optim.combine import Combine, PCGrad, ProjectOne, SumGradients
from models.optim.optimisers import AdamConfig, AdamWConfig, FAdamConfig, Optimiser, SgdConfig
from models.spatial.parametrisation import (
    Displacement,
    Parametrisation,
    TimeVaryingVelocity,
    Velocity,
)
from models.spatial.warp import warp
from tests.models.conftest import Golden

LEVELS = (
    ResolutionLevel(shrink=2, control=4, similarity=Lncc(window=5), steps=30, learning_rate=0.1),
    ResolutionLevel(shrink=1, control=2, similarity=Lncc(window=5), steps=30, learning_rate=0.1),
)
PARAMETRISATIONS = (Velocity(), TimeVaryingVelocity(), Displacement())


def smooth(weight: float) -> tuple[WeightedRegulariser, ...]:
    return (WeightedRegulariser(weight=weight, term=Diffusion()),)


def blobs(seed: int = 0) -> Tensor:
    noise = torch.rand(1, 1, 6, 7, 5, generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(noise, size=(24, 28, 20), mode="trilinear")


def true_field() -> Tensor:
    coarse = torch.randn(1, 3, 3, 3, 3, generator=torch.Generator().manual_seed(9))
    return functional.interpolate(coarse, size=(24, 28, 20), mode="trilinear")


def error(field: Tensor) -> float:
    inside = (..., slice(4, -4), slice(4, -4), slice(4, -4))
    return float((field - true_field())[inside].square().mean().sqrt())


ZERO = torch.zeros_like(true_field())
PAIR = ImagePair(warp(blobs(), true_field()), blobs())
OTHERS = ImagePair(blobs(1), blobs(2))


def refine(case: ImagePair = PAIR, prediction: Tensor = ZERO, **changed: object) -> Refined:
    """With a generator of its own, and `changed` over settings that find the true field."""
    settings = {"regularisers": smooth(0.05), "levels": LEVELS, **changed}
    config = InstanceOptimisationConfig(**settings)
    return config.build()(case, prediction, random=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
def test_it_recovers_a_known_deformation(parametrisation: Parametrisation) -> None:
    refined = refine(parametrisation=parametrisation)
    assert error(refined.field) < 0.5 * error(ZERO)
    assert [descent.stopped for descent in refined.history] == ["steps", "steps"]
    assert all(sum_of(d.losses[d.best]) < sum_of(d.losses[0]) for d in refined.history)


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
def test_it_refines_a_prediction(parametrisation: Parametrisation) -> None:
    prediction = 0.7 * true_field()
    refined = refine(prediction=prediction, parametrisation=parametrisation)
    assert error(refined.field) < 0.8 * error(prediction)


@pytest.mark.parametrize("combine", [SumGradients(), ProjectOne(), PCGrad()])
def test_every_combination_of_gradients_gets_there(combine: Combine) -> None:
    refined = refine(combine=combine)
    assert error(refined.field) < 0.6 * error(ZERO)
    apart = not isinstance(combine, SumGradients)
    assert all((descent.conflict_rate is not None) == apart for descent in refined.history)


@pytest.mark.parametrize(
    ("optimiser", "rate"),
    [
        (AdamConfig(amsgrad=True), 0.1),
        (AdamWConfig(), 0.1),
        (SgdConfig(momentum=0.9), 300.0),
        (FAdamConfig(weight_decay=0.0), 0.1),
    ],
)
def test_every_optimiser_gets_there(optimiser: Optimiser, rate: float) -> None:
    levels = tuple(level.model_copy(update={"learning_rate": rate}) for level in LEVELS)
    assert error(refine(optimiser=optimiser, levels=levels).field) < 0.6 * error(ZERO)


@pytest.mark.parametrize("term", [kind() for kind in get_args(get_args(Regulariser)[0])])
@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
def test_every_regulariser_goes_with_every_parametrisation(
    term: Regulariser, parametrisation: Parametrisation
) -> None:
    short = tuple(level.model_copy(update={"steps": 3}) for level in LEVELS)
    parts = (WeightedRegulariser(weight=0.1, term=term),)
    refined = refine(parametrisation=parametrisation, regularisers=parts, levels=short)
    assert refined.field.isfinite().all()
    assert all(len(descent.losses[0]) == 2 for descent in refined.history)


@pytest.mark.slow
def test_both_ways_costs_both_ways() -> None:
    one_way, both_ways = refine(), refine(direction="both_ways")
    assert (
        both_ways.history[0].losses[0]["similarity"]
        < 1.9 * one_way.history[0].losses[0]["similarity"]
        < 0
    )
    assert error(both_ways.field) < 0.5 * error(ZERO)


@pytest.mark.slow
def test_both_ways_is_the_same_backwards() -> None:
    """With a velocity, exchanging the images exchanges the map and its inverse."""
    forward = refine(direction="both_ways").field
    inverse = refine(ImagePair(PAIR.moving, PAIR.fixed), direction="both_ways").field
    inside = (..., slice(5, -5), slice(5, -5), slice(5, -5))
    gone_and_back = inverse + warp(forward, inverse, padding="border")
    assert gone_and_back[inside].abs().mean() < 0.15 * forward[inside].abs().mean()


def test_a_penalty_on_folds_leaves_fewer_of_them() -> None:
    strong = {"regularisers": smooth(0.001), "parametrisation": Displacement()}
    folds = Folding(margin=1e-3)
    free = refine(OTHERS, **strong)
    parts = (*smooth(0.001), WeightedRegulariser(weight=100.0, term=Folding()))
    held = refine(OTHERS, **{**strong, "regularisers": parts})
    assert folds(free.field) > 0
    assert folds(held.field) < 0.02 * folds(free.field)


def test_labels_bring_together_what_images_do_not_show() -> None:
    cube = torch.zeros(1, 1, 24, 28, 20)
    cube[..., 8:14, 10:18, 6:14] = 1
    flat = torch.zeros_like(cube)
    case = ImagePair(flat, flat, (cube, cube.roll(3, dims=2)))
    moved = warp(case.labels[1], refine(case, label_weight=1.0).field)
    before = (case.labels[1] - cube).abs().sum()
    assert (moved - cube).abs().sum() < 0.4 * before
    assert refine(case, label_weight=1.0).history[0].losses[0]["labels"] > 0


def test_labels_follow_a_prediction_like_the_image() -> None:
    cube = torch.zeros(1, 1, 24, 28, 20)
    cube[..., 8:14, 10:18, 6:14] = 1
    prediction = torch.zeros(1, 3, 24, 28, 20)
    prediction[:, 0] = 3.0
    case = ImagePair(cube, cube.roll(3, dims=2), (cube, cube.roll(3, dims=2)))
    history = refine(case, prediction, label_weight=1.0).history
    assert history[0].losses[0]["labels"] == pytest.approx(0, abs=1e-3)


def test_without_labels_a_label_term_says_so() -> None:
    with pytest.raises(ValueError, match="label_weight asks for label maps"):
        refine(label_weight=1.0)


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
def test_without_time_a_prediction_is_returned_as_it_came(parametrisation: Parametrisation) -> None:
    config = InstanceOptimisationConfig(parametrisation=parametrisation, levels=LEVELS)
    refined = config.build()(OTHERS, true_field(), deadline=time.monotonic() - 1)
    torch.testing.assert_close(refined.field, true_field(), rtol=0, atol=1e-4)
    assert [descent.stopped for descent in refined.history] == ["deadline"]


def test_a_level_that_has_converged_is_followed_by_the_next() -> None:
    long = tuple(level.model_copy(update={"steps": 500}) for level in LEVELS)
    history = refine(levels=long, convergence=Convergence(window=5, share=0.05)).history
    assert [descent.stopped for descent in history] == ["converged", "converged"]
    assert all(len(descent.losses) < 200 for descent in history)


def test_a_stiff_regulariser_lets_nothing_move_differently_from_its_neighbour() -> None:
    field = refine(OTHERS, regularisers=smooth(1e4)).field
    assert all(field.diff(dim=axis).abs().max() < 0.05 for axis in (2, 3, 4))


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
def test_two_runs_are_bit_identical(device: str, parametrisation: Parametrisation) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    parts = (*smooth(0.1), WeightedRegulariser(weight=10.0, term=Folding()))
    case = ImagePair(OTHERS.fixed.to(device), OTHERS.moving.to(device))
    settings = {"parametrisation": parametrisation, "combine": PCGrad()}
    first, second = (
        refine(case, ZERO.to(device), regularisers=parts, **settings).field for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("case", "steps", "rate", "weight"),
    [
        ("steps10_lr0.1", 10, 0.1, 1.0),
        ("steps5_default", 5, 0.1, 1.0),
        ("steps10_lr0.05_reg0.5", 10, 0.05, 0.5),
    ],
)
def test_it_is_the_optimiser_of_on_the_fly_guidance(
    golden: Golden, case: str, steps: int, rate: float, weight: float
) -> None:
    vectors = golden("ofg")
    config = InstanceOptimisationConfig(
        parametrisation=Displacement(),
        regularisers=smooth(weight),
        optimiser=AdamConfig(amsgrad=True),
        levels=(ResolutionLevel(shrink=1, control=1, steps=steps, learning_rate=rate),),
    )
    flow = vectors["in.flow"]
    refined = config.build()(ImagePair(vectors["in.y"], vectors["in.x"]), flow)
    (descent,) = refined.history
    assert descent.best == steps  # every step was better than the one before
    expected = vectors[f"{case}.flow_opt"]
    assert_all_but_a_few_agree(refined.field, expected)
    guidance = (refined.field - flow).square().mean()
    torch.testing.assert_close(guidance, vectors[f"{case}.loss"], rtol=1e-4, atol=0)
    towards = vectors[f"{case}.grad_flow"] * flow.numel() / 2
    assert_all_but_a_few_agree(flow - refined.field, towards)
    energy = vectors[f"{case}.energy_final"].item()
    assert sum_of(descent.losses[-1]) == pytest.approx(energy, abs=1e-6)


def assert_all_but_a_few_agree(found: Tensor, expected: Tensor) -> None:
    """Where a gradient almost vanishes, Adam makes a step of full length out of rounding."""
    apart = (found - expected).abs().flatten()
    assert apart.quantile(0.95) < 1e-5
    assert apart.quantile(0.999) < 5e-3
    assert apart.square().mean().sqrt() < 3e-4


def test_the_grid_must_hold_every_level() -> None:
    level = {"steps": 1, "learning_rate": 0.1}
    config = InstanceOptimisationConfig.model_validate(
        {"levels": [{"shrink": 4, "control": 6, **level}, {"shrink": 2, "control": 2, **level}]}
    )
    assert config.grid.multiple == 12
    assert config.halved.grid.multiple == 24


def test_at_half_the_resolution_it_still_gets_there() -> None:
    fine = LEVELS[1].model_copy(update={"steps": 40})
    config = InstanceOptimisationConfig(regularisers=smooth(0.05), levels=(fine,))
    refined = config.halved.build()(PAIR, ZERO)
    assert refined.field.shape == ZERO.shape
    assert error(refined.field) < 0.7 * error(ZERO)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"levels": []}, "at least 1 item"),
        ({"regularisers": [{"weight": -1, "term": {"name": "bending"}}]}, "greater than or equal"),
        ({"regularisers": [{"weight": 1, "term": {"name": "bendin"}}]}, "bending"),
        ({"levels": [{"shrink": 0}]}, "greater than 0"),
        ({"window": 3}, "Extra inputs"),
        ({"best_by": "bending"}, "none of: total, similarity"),
        ({"regularisers": [{"weight": w, "term": {"name": "bending"}} for w in (1, 2)]}, "twice"),
    ],
)
def test_nonsense_is_refused(wrong: dict[str, object], told: str) -> None:
    good = {"levels": [LEVELS[0].model_dump()]}
    InstanceOptimisationConfig.model_validate(good)
    with pytest.raises(ValidationError, match=told):
        InstanceOptimisationConfig.model_validate(good | wrong)


@pytest.mark.slow
def test_what_is_best_may_be_named() -> None:
    parts = (*smooth(5.0), WeightedRegulariser(weight=1.0, term=Bending()))
    by_total, by_name = (refine(regularisers=parts, best_by=name) for name in ("total", "bending"))
    assert by_name.history[0].best == 0  # nothing bends less than rest
    assert by_total.history[0].best > 0
