"""What every refinement of the run file keeps to."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from l2r.dataset import read_pairs
from l2r.errors import ConfigError
from l2r.formats.volumes import read_image
from l2r.grid import GridRule, working_grid
from l2r.prepare import Prepared
from l2r.task import load_task
from models.descent.field import InstanceOptimisation, InstanceOptimisationConfig, ResolutionLevel
from models.descent.objective import ImagePair, WeightedRegulariser
from models.descent.weights import WeightOptimisation, WeightOptimisationConfig
from models.losses.diffusion import Diffusion
from models.networks.base import RegistrationModel
from models.networks.gradicon.network import UniGradIconConfig
from models.networks.gradicon.unet import UNetSizes
from models.networks.identity import IdentityConfig
from pipeline.register.config import Refinement, RunConfig
from pipeline.register.predict import field_to_torch, to_numpy, to_torch
from pipeline.register.records import Predicted
from pipeline.register.refine import RefineField
from pipeline.register.stages import build_stages

CPU = torch.device("cpu")
SMOOTH = (WeightedRegulariser(weight=0.1, term=Diffusion()),)
QUICK = {
    InstanceOptimisationConfig: InstanceOptimisationConfig(
        regularisers=SMOOTH,
        levels=(ResolutionLevel(shrink=2, control=4, steps=8, learning_rate=0.1),),
    ),
    WeightOptimisationConfig: WeightOptimisationConfig(
        regularisers=SMOOTH, steps=2, learning_rate=0.01
    ),
}
"""Settings with which a refinement takes a fraction of a second."""
KINDS = get_args(get_args(Refinement)[0])


def network() -> RegistrationModel:
    torch.manual_seed(0)
    sizes = UNetSizes(down=(4, 8), up=(4, 8))
    return UniGradIconConfig(shape=(17, 18, 19), sizes=sizes).build().eval()


def stage(kind: type) -> RefineField:
    return RefineField(QUICK[kind], network(), CPU)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def vectors(item: Predicted) -> np.ndarray:
    return to_numpy(item.field)


def on_cpu(prepared: Prepared) -> Predicted:
    """A zero field for a pair."""
    images = ImagePair(to_torch(prepared.fixed, CPU), to_torch(prepared.moving, CPU))
    zero = np.zeros((*prepared.fixed.shape, 3), np.float32)
    return Predicted(prepared, images, field_to_torch(zero, CPU))


@pytest.fixture
def predicted(phantom) -> Predicted:
    pair = read_pairs(phantom / "PHANTOM_dataset.json", phantom)[0]
    fixed, moving = (read_image(s.path).array / np.float32(255) for s in (pair.fixed, pair.moving))
    even = tuple(slice(size // 8 * 8) for size in fixed.shape)  # so that it can be halved thrice
    fixed, moving = np.ascontiguousarray(fixed[even]), np.ascontiguousarray(moving[even])
    grid = working_grid(fixed.shape, moving.shape, GridRule())
    prepared = Prepared(pair, fixed, moving, grid, np.eye(4))
    return on_cpu(prepared)


def test_there_is_a_quick_one_of_every_kind() -> None:
    assert set(QUICK) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_pair_and_grid_and_leaves_a_note(kind: type, predicted: Predicted) -> None:
    before = vectors(predicted).copy()
    refined = stage(kind)(predicted, seeded())
    assert refined.prepared is predicted.prepared
    assert refined.field.shape == predicted.field.shape
    assert np.isfinite(vectors(refined)).all()
    assert vectors(refined).any()
    assert refined.warnings == ()
    (note,) = refined.refinements
    assert note.improved
    assert set(note.levels[0].losses_at_start) == {"similarity", "diffusion"}
    assert note.levels[0].steps == (8 if kind is InstanceOptimisationConfig else 2)
    for level in note.levels:
        assert level.seconds is not None
        for name, curve in level.losses.items():
            assert len(curve) == level.steps + 1
            assert curve[0] == pytest.approx(level.losses_at_start[name], rel=1e-5)  # six digits
            assert curve[level.best_step or 0] == pytest.approx(
                level.losses_at_best[name], rel=1e-5
            )
    assert np.array_equal(vectors(predicted), before)


@pytest.mark.parametrize("kind", KINDS)
def test_refining_twice_is_repeatable_and_notes_both(kind: type, predicted: Predicted) -> None:
    refine = stage(kind)
    first, second = (refine(refine(predicted, seeded()), seeded()) for _ in range(2))
    assert len(first.refinements) == 2
    assert np.array_equal(vectors(first), vectors(second))


def test_a_thin_image_gets_two_control_voxels_or_more_and_a_slice_stays_one() -> None:
    rule = QUICK[InstanceOptimisationConfig].grid
    assert [rule.nearest((32, 32, size))[2] for size in (1, 4, 5, 8, 9)] == [1, 8, 8, 8, 12]


def test_one_whose_images_hold_nothing_is_known_to_have_gained_nothing(
    predicted: Predicted,
) -> None:
    blank = np.zeros_like(predicted.prepared.fixed)
    item = on_cpu(replace(predicted.prepared, fixed=blank, moving=blank))
    refined = stage(InstanceOptimisationConfig)(item, seeded())
    assert not refined.refinements[0].improved
    assert not vectors(refined).any()


def test_the_last_iterate_counts_where_it_is_kept(predicted: Predicted) -> None:
    config = QUICK[InstanceOptimisationConfig]
    far = config.levels[0].model_copy(update={"learning_rate": 1e3, "steps": 1})
    records = [
        RefineField(config.model_copy(update={"levels": (far,), "keep": keep}), network(), CPU)(
            predicted, seeded()
        ).refinements[0]
        for keep in ("best", "last")
    ]
    assert [record.levels[0].best_step for record in records] == [0, 0]
    assert [record.improved for record in records] == [False, True]


def failing(times: int, call: Callable[..., object], shapes: list) -> Callable[..., object]:
    """Out of GPU memory at the first calls, as torch says it."""

    def attempt(self: object, *given: object, **named: object) -> object:
        shapes.append(self)
        if len(shapes) <= times:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return call(self, *given, **named)

    return attempt


class FieldOnStandIn(RefineField):
    """Takes another device for a GPU."""

    def __init__(self, config: InstanceOptimisationConfig) -> None:
        super().__init__(config, IdentityConfig().build(), CPU)
        self.tried: list[tuple[InstanceOptimisationConfig, str]] = []

    def _alternatives(self, item: Predicted) -> Iterator[tuple]:
        self._device = torch.device("meta")
        alternatives = list(super()._alternatives(item))
        self._device = CPU
        for words, config, device in alternatives:
            self.tried.append((config, str(device)))
            yield words, config, CPU


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_without_gpu_memory_it_goes_coarser_and_then_to_the_cpu(
    failures: int, predicted: Predicted, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = QUICK[InstanceOptimisationConfig]
    attempts: list = []
    call = failing(failures, InstanceOptimisation.__call__, attempts)
    monkeypatch.setattr(InstanceOptimisation, "__call__", call)
    refine = FieldOnStandIn(config)
    refined = refine(predicted, seeded())
    expected = [(config, "meta"), (config.halved, "meta"), (config, "cpu")]
    assert refine.tried == expected[: failures + 1]
    assert len(refined.warnings) == failures
    assert all("ran out of GPU memory" in warning for warning in refined.warnings)
    assert vectors(refined).any()


def test_when_nothing_helps_the_pair_fails(
    predicted: Predicted, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = failing(9, InstanceOptimisation.__call__, [])
    monkeypatch.setattr(InstanceOptimisation, "__call__", call)
    with pytest.raises(torch.OutOfMemoryError, match="on the CPU"):
        FieldOnStandIn(QUICK[InstanceOptimisationConfig])(predicted, seeded())


def test_on_the_cpu_there_is_no_other_way(
    predicted: Predicted, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list = []
    call = failing(1, WeightOptimisation.__call__, attempts)
    monkeypatch.setattr(WeightOptimisation, "__call__", call)
    with pytest.raises(torch.OutOfMemoryError):
        stage(WeightOptimisationConfig)(predicted, seeded())
    assert len(attempts) == 1


def test_label_maps_count(predicted: Predicted) -> None:
    """Where images are alike but labels say what moved, labels decide."""
    fixed = np.zeros(predicted.prepared.fixed.shape, np.uint8)
    fixed[8:16, 8:16, 8:16] = 17
    labels = fixed, np.roll(fixed, 2, axis=0)
    blank = np.zeros(fixed.shape, np.float32)
    prepared = replace(predicted.prepared, fixed=blank, moving=blank, labels=labels)
    config = QUICK[InstanceOptimisationConfig].model_copy(update={"label_weight": 1.0})
    refined = RefineField(config, IdentityConfig().build(), CPU)(on_cpu(prepared), seeded())
    level = refined.refinements[0].levels[0]
    assert level.losses_at_best["labels"] < level.losses_at_start["labels"]
    assert vectors(refined)[10:14, 10:14, 10:14, 0].mean() > 0.2


LEVEL = {"shrink": 2, "control": 2, "steps": 1, "learning_rate": 0.1}
FIELD = {"name": "instance_optimisation", "levels": [LEVEL]}
WEIGHTS = {"name": "weight_optimisation", "steps": 1, "learning_rate": 0.1}


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ({"refine": [FIELD, WEIGHTS]}, "make it the first refinement"),
        ({"refine": [{**FIELD, "label_weight": 1}], "voxel_mm": 1.0}, "not resampled"),
        ({"refine": [WEIGHTS, FIELD], "passes": [2]}, "leave out passes and mirror, .* = 2"),
        ({"refine": [WEIGHTS, FIELD], "mirror": 0}, "leave out passes and mirror"),
        ({"shrink": 2}, r"shrink is called passes now: passes = \[2\]"),
        ({"passes": []}, "at least 1 item"),
        ({"passes": [0]}, "greater than 0"),
        ({"mirror": 3}, "less than or equal to 2"),
        ({"refine": [{**FIELD, "name": "polishing"}]}, "weight_optimisation"),
        ({"refine": [{**FIELD, "optimiser": {"name": "fadam"}}]}, "weight_decay"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(run: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        RunConfig.model_validate(run)


def test_weights_of_a_network_without_any_are_not_optimised() -> None:
    config = RunConfig.model_validate({"refine": [WEIGHTS]})
    with pytest.raises(ConfigError, match="'weight_optimisation': the network has no weights"):
        build_stages(config, load_task("any"), CPU)
