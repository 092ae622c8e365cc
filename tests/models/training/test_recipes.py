"""What the recipes of the papers are made of."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from l2r.errors import TrainingError
from models.descent.objective import ImagePair, WeightedRegulariser
from models.losses.catalog import SumOfSimilarities, WeightedSimilarity
from models.losses.consistency import GradIcon
from models.losses.diffusion import Diffusion
from models.losses.gradient_correlation import GradientCorrelation
from models.losses.lddmm import Lddmm
from models.losses.lncc import Lncc
from models.losses.lncc_gaussian import LnccGaussian
from models.losses.mse import Mse
from models.networks.base import NetworkConfig
from models.networks.gradicon.network import UniGradIconConfig
from models.networks.gradicon.unet import UNetSizes
from models.networks.transmorph.tm_tvf import TmTvfConfig
from models.networks.voxelmorph.package import VoxelMorphConfig
from models.spatial.warp import warp
from models.training.config import TrainConfig, TrainingObjective
from models.training.dataset import generator
from models.training.state import export
from models.training.step import Objective
from models.weights.load import build_network
from tests.models.networks.recipes import made_up_volume
from tests.models.training.conftest import NETWORK

SHAPE = (32, 32, 32)
CASE = ImagePair(made_up_volume(SHAPE, 1), made_up_volume(SHAPE, 2))
TM_TVF = TmTvfConfig(
    sizes={
        "embed_dim": 8,
        "depths": (1, 1, 1, 1),
        "heads": (2, 2, 2, 2),
        "window": (2, 2, 2),
        "head_channels": 4,
    },
    time_steps=3,
)
VOXELMORPH = VoxelMorphConfig(encoder=(4, 4, 4, 4), decoder=(4, 4, 4, 4), extras=(4, 4))
ICON = UniGradIconConfig(shape=(18, 21, 20), sizes=UNetSizes(down=(4, 8), up=(4, 8)))


def awake(config: NetworkConfig) -> torch.nn.Module:
    """Untrained networks predict no motion; this one does."""
    torch.manual_seed(0)
    model = config.build()
    for parameter in model.parameters():
        parameter.data.add_(0.03 * torch.randn(parameter.shape))
    return model.eval().requires_grad_(False)


def losses(model: torch.nn.Module, case: ImagePair = CASE, **objective: object) -> list[float]:
    config = TrainConfig(model=NETWORK, epochs=1, objective=TrainingObjective(**objective))
    return [float(loss) for loss in Objective(model, config)(case, generator(0)).values()]


def weighted(weight: float, term: object) -> dict[str, object]:
    return {"regularisers": (WeightedRegulariser(weight=weight, term=term),)}


@pytest.fixture(scope="module")
def tm_tvf() -> torch.nn.Module:
    return awake(TM_TVF)


def test_p0_adds_gradient_correlation_to_local_correlation() -> None:
    model = awake(NETWORK)
    parts = (
        WeightedSimilarity(term=Lncc()),
        WeightedSimilarity(weight=0.5, term=GradientCorrelation()),
    )
    found = losses(model, similarity=SumOfSimilarities(parts=parts), **weighted(2, Diffusion()))
    field = model(CASE.fixed, CASE.moving)
    warped = warp(CASE.moving, field)
    expected = Lncc().bind(CASE.fixed)(warped)
    expected = expected + 0.5 * GradientCorrelation().bind(CASE.fixed)(warped)
    assert found == pytest.approx([float(expected), float(2 * Diffusion()(field))], rel=1e-4)


@pytest.mark.parametrize("config", [TM_TVF, VOXELMORPH], ids=lambda config: config.name)
def test_velocities_may_be_what_is_smooth(config: NetworkConfig) -> None:
    model = awake(config)
    field, velocities = model.forward_with_velocities(CASE.fixed, CASE.moving)
    assert torch.equal(field, model(CASE.fixed, CASE.moving))
    wanted = {"displacement": field, "velocities": torch.cat(tuple(velocities))}
    wanted["last_velocity"] = velocities[-1]
    for smooth, judged in wanted.items():
        found = losses(model, smooth=smooth, **weighted(1, Diffusion()))
        assert found[1] == pytest.approx(float(Diffusion()(judged)), rel=1e-4)
        assert found[0] == pytest.approx(
            float(Lncc().bind(CASE.fixed)(warp(CASE.moving, field))), abs=1e-4
        )


def test_p1_adds_up_the_norm_of_all_velocities(tm_tvf: torch.nn.Module) -> None:
    term = Lddmm(alpha=1.0, gamma=0.5)
    found = losses(tm_tvf, similarity=Mse(), smooth="velocities", **weighted(3, term))
    _, velocities = tm_tvf.forward_with_velocities(CASE.fixed, CASE.moving)
    assert len(velocities) == 3
    assert found[1] == pytest.approx(float(sum(term(v) for v in velocities)), rel=1e-4)


def test_a_network_without_velocities_says_so() -> None:
    with pytest.raises(TrainingError, match="VoxelMorph has no velocities; leave it at"):
        losses(awake(NETWORK), smooth="velocities")


@pytest.mark.parametrize("term", ["dice", "mse"])
def test_label_maps_are_compared_by_either_term(term: str) -> None:
    model = awake(NETWORK)
    maps = tuple(
        torch.stack([c > 0.3, c > 0.6]).squeeze(1).transpose(0, 1).float()
        for c in (CASE.fixed, CASE.moving)
    )
    case = ImagePair(CASE.fixed, CASE.moving, maps)
    found = losses(model, case, label_weight=2.0, label_term={"name": term})
    warped = warp(maps[1], model(CASE.fixed, CASE.moving))
    if term == "mse":
        expected = (warped - maps[0]).square().mean()
    else:
        overlap = (warped * maps[0]).sum((2, 3, 4))
        total = warped.square().sum((2, 3, 4)) + maps[0].square().sum((2, 3, 4))
        expected = 1 - (2 * overlap / (total + 1e-5)).mean()
    assert found[-1] == pytest.approx(float(2 * expected), rel=1e-4)


def test_p2_compares_images_on_the_networks_own_grid_in_both_directions() -> None:
    model = awake(ICON)
    found = losses(
        model,
        similarity=LnccGaussian(sigma=2.0),
        direction="both_ways",
        **weighted(1.5, GradIcon()),
    )
    a, b = model.prepared(CASE.moving), model.prepared(CASE.fixed)
    assert a.shape[2:] == (20, 21, 18)
    assert len(found) == 2
    unlike = LnccGaussian(sigma=2.0).bind(b)(a)
    assert found[0] == pytest.approx(2 * float(unlike), rel=0.2)
    assert 0 < found[1] < 10


def test_the_second_stage_begins_with_the_first(tmp_path: Path) -> None:
    first = awake(ICON.model_copy(update={"last_step": False}))
    assert first.netPsi is None
    export(tmp_path / "first.safetensors", first)
    second = build_network(
        ICON.model_copy(update={"first_stage": tmp_path / "first.safetensors"})
    ).eval()
    images = (CASE.fixed, CASE.moving)
    with torch.no_grad():
        torch.testing.assert_close(second(*images), first(*images))  # the last step is at rest
    names = set(dict(second.named_parameters())) - set(dict(first.named_parameters()))
    assert names
    assert all(name.startswith("netPsi.") for name in names)
    with pytest.raises(ValidationError, match="first_stage is for a network with its last step"):
        UniGradIconConfig(first_stage="a.safetensors", weights="b.safetensors")


def operated(field: Tensor, alpha: float, gamma: float) -> Tensor:
    stencil = torch.zeros(3, 3, 3, dtype=field.dtype)
    stencil[1, 1, 1] = gamma + 6 * alpha
    for place in ((0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0), (1, 1, 2)):
        stencil[place] = -alpha
    weight = stencil.expand(3, 1, 3, 3, 3)
    return torch.nn.functional.conv3d(field, weight, groups=3)


def test_the_printed_norm_applies_the_operator_twice() -> None:
    field = torch.randn(2, 3, 8, 7, 9, dtype=torch.float64)
    term = Lddmm(alpha=0.3, gamma=0.2, operator="printed")
    twice = operated(operated(field, 0.3, 0.2), 0.3, 0.2)
    voxels = 2 * 4 * 3 * 5  # of both batches, two from the border
    assert float(term(field)) == pytest.approx(float(twice.square().sum()) / voxels, rel=1e-6)
