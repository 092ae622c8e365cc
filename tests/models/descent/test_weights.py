import time

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from models.descent.loop import sum_of
from models.descent.objective import ImagePair, WeightedRegulariser
from models.descent.weights import WeightOptimisationConfig, as_before
from models.losses.consistency import GradIcon
from models.losses.diffusion import Diffusion
from models.losses.lncc import Lncc
from models.networks.base import RegistrationModel
from models.networks.gradicon.network import UniGradIconConfig
from models.networks.gradicon.unet import UNetSizes
from models.networks.identity import IdentityConfig
from models.networks.transmorph.lumir import LumirSizes, TransMorphLumirConfig
from models.networks.voxelmorph.lumir import VoxelMorph1Config
from models.optim.combine import PCGrad
from models.optim.optimisers import AdamConfig
from tests.models.descent.test_field import PAIR

QUICK = WeightOptimisationConfig(
    similarity=Lncc(window=5),
    regularisers=(WeightedRegulariser(weight=0.05, term=Diffusion()),),
    steps=8,
    learning_rate=3e-3,
)
P2 = WeightOptimisationConfig(
    regularisers=(WeightedRegulariser(weight=1.5, term=GradIcon()),),
    direction="both_ways",
    combine=PCGrad(),
    optimiser=AdamConfig(amsgrad=True, weight_decay=1e-3),
    steps=4,
    learning_rate=1e-4,
)
ICON = UniGradIconConfig(shape=(18, 21, 20), sizes=UNetSizes(down=(4, 8), up=(4, 8)))


def awake(model: RegistrationModel) -> RegistrationModel:
    """An untrained network gives a zero field, this one a small one."""
    random = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data.add_(0.02 * torch.randn(parameter.shape, generator=random))
    return model.eval()


@pytest.fixture
def voxelmorph() -> RegistrationModel:
    return awake(VoxelMorph1Config().build())


@pytest.fixture
def icon() -> RegistrationModel:
    return awake(ICON.build())


def state_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def padded(case: ImagePair) -> ImagePair:
    """On a grid that VoxelMorph works on."""
    fixed, moving = (nn.functional.pad(v, (0, 12, 0, 4, 0, 8)) for v in (case.fixed, case.moving))
    return ImagePair(fixed, moving)


@pytest.mark.slow
def test_the_network_learns_the_pair_by_heart(voxelmorph: RegistrationModel) -> None:
    case = padded(PAIR)
    refined = QUICK.build(voxelmorph)(case)
    (descent,) = refined.history
    assert descent.stopped == "steps"
    assert len(descent.losses) == 9
    assert sum_of(descent.losses[descent.best]) < sum_of(descent.losses[0]) - 0.004
    with torch.no_grad():
        assert not torch.allclose(refined.field, voxelmorph(case.fixed, case.moving))


@pytest.mark.parametrize("batch_norm", ["frozen", "adapting"])
def test_afterwards_the_weights_have_the_same_bits(icon: nn.Module, batch_norm: str) -> None:
    before = state_of(icon)
    config = P2.model_copy(update={"batch_norm": batch_norm})
    config.build(icon)(PAIR)
    after = state_of(icon)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any(part.training for part in icon.modules())
    assert all(parameter.grad is None for parameter in icon.parameters())


def test_they_have_after_a_failure_too(icon: nn.Module) -> None:
    before = state_of(icon)

    def interrupted() -> None:
        with as_before(icon):
            for tensor in (*icon.parameters(), *icon.buffers()):
                tensor.data.fill_(7)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert all(torch.equal(icon.state_dict()[name], value) for name, value in before.items())


@pytest.mark.slow
def test_a_pair_does_not_know_what_the_one_before_was(icon: RegistrationModel) -> None:
    optimise = P2.build(icon)
    first = optimise(PAIR, random=torch.Generator().manual_seed(5)).field
    optimise(ImagePair(PAIR.moving, PAIR.fixed))
    again = optimise(PAIR, random=torch.Generator().manual_seed(5)).field
    assert torch.equal(first, again)


def test_the_published_way_records_conflicts(icon: RegistrationModel) -> None:
    (descent,) = P2.build(icon)(PAIR).history
    assert len(descent.cosines) == 4
    assert all(-1 <= cosine <= 1 for step in descent.cosines for cosine in step.values())
    assert descent.conflict_rate is not None


@pytest.mark.slow
def test_adapting_and_frozen_statistics_lead_elsewhere(icon: RegistrationModel) -> None:
    fields = [
        P2.model_copy(update={"batch_norm": mode}).build(icon)(PAIR).field
        for mode in ("frozen", "adapting")
    ]
    assert not torch.allclose(*fields)


@pytest.mark.slow
def test_the_best_iterate_predicts_with_its_own_statistics(icon: RegistrationModel) -> None:
    """A rate of zero: all iterates have the same weights, but the statistics move."""
    still = {"learning_rate": 1e-30, "batch_norm": "adapting", "optimiser": AdamConfig()}
    first, longer = (
        P2.model_copy(update={**still, "steps": steps, "best_by": "similarity"}).build(icon)(PAIR)
        for steps in (1, 6)
    )
    assert first.history[0].best == longer.history[0].best == 0
    assert torch.equal(first.field, longer.field)


def test_without_time_it_is_the_networks_own_prediction(icon: RegistrationModel) -> None:
    refined = P2.build(icon)(PAIR, deadline=time.monotonic() - 1)
    with torch.no_grad():
        assert torch.equal(refined.field, icon(PAIR.fixed, PAIR.moving))
    assert refined.history[0].stopped == "deadline"


def test_a_prediction_before_does_not_disturb_it() -> None:
    """Networks keep tables between calls, which must not be bound to inference."""
    sizes = LumirSizes(embed_dim=12, depths=(1, 1, 1), heads=(2, 2, 2), window=(2, 2, 2))
    model = awake(TransMorphLumirConfig(sizes=sizes).build())
    case = padded(PAIR)
    with torch.inference_mode():
        model(case.fixed, case.moving)
    refined = QUICK.model_copy(update={"steps": 1}).build(model)(case)
    assert refined.field.isfinite().all()
    with torch.inference_mode():
        model(case.fixed, case.moving)


def test_labels_count_where_the_network_has_the_grid_of_the_images(
    voxelmorph: RegistrationModel, icon: RegistrationModel
) -> None:
    config = QUICK.model_copy(update={"label_weight": 1.0, "steps": 1})
    case = padded(PAIR)
    labelled = ImagePair(case.fixed, case.moving, (case.fixed.round(), case.moving.round()))
    (descent,) = config.build(voxelmorph)(labelled).history
    assert 0 < descent.losses[0]["labels"] < 1
    with pytest.raises(ValueError, match="leave label_weight out"):
        config.build(icon)


def test_a_network_without_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="no weights"):
        QUICK.build(IdentityConfig().build())


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValidationError, match="steps"):
        WeightOptimisationConfig(learning_rate=1e-3)
