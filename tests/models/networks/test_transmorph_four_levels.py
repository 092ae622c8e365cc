"""The networks of four levels, against outputs of the published code and by what they must do."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.networks.base import RegistrationModel
from models.networks.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.networks.transmorph.four_levels import FourLevelConfig
from models.networks.transmorph.sizes import ClassicSizes
from models.networks.transmorph.tm_tvf import TmTvf, TmTvfConfig
from models.spatial.warp import correct_lumir_bias, warp, warp_lumir
from tests.models.conftest import Described, Golden
from tests.models.networks.published import state_of
from tests.models.networks.recipes import made_up_volume

FLOW_ATOL = 2e-4
"""In voxels; single precision departs from double by 4e-5 where a flow is 9 voxels long."""

SMALL = ClassicSizes(
    embed_dim=8, depths=(2, 1, 1, 1), heads=(2, 2, 2, 2), window=(2, 3, 3), head_channels=4
)


def sizes_of(config: dict) -> ClassicSizes:
    """Our names for the sizes of the published configuration."""
    return ClassicSizes(
        embed_dim=config["embed_dim"],
        depths=config["depths"],
        heads=config["num_heads"],
        window=config["window_size"][:3],
        head_channels=config["reg_head_chan"],
        drop_path=config["drop_path_rate"],
    )


def loaded(model: RegistrationModel, vectors: dict[str, Tensor]) -> RegistrationModel:
    model.load_state_dict(state_of(vectors))
    return model.eval()


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=FLOW_ATOL, rtol=0)


@pytest.mark.parametrize(
    ("name", "millions"), [("tiny", 0.24), ("small", 11.76), ("large", 108.34)]
)
def test_sizes_have_as_many_parameters_as_the_paper_says(name: str, millions: float) -> None:
    with torch.device("meta"):
        model = TransMorphIxiConfig(sizes=name).build()
    count = sum(value.numel() for value in model.parameters()) / 1e6
    assert count == pytest.approx(millions, abs=0.006)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "kind", "its_warp"),
    [
        ("transmorph_ixi_small", TransMorphIxiConfig, warp),
        ("transmorph_oasis_small", TransMorphOasisConfig, warp_lumir),
    ],
)
def test_the_field_is_the_published_one(
    golden: Golden,
    described: Described,
    name: str,
    kind: type[FourLevelConfig],
    its_warp: Callable[[Tensor, Tensor], Tensor],
) -> None:
    vectors = golden(name)
    model = loaded(kind(sizes=sizes_of(described(name)["config"])).build(), vectors)
    with torch.inference_mode():
        field = model(vectors["in.y"], vectors["in.x"])
    assert_close(field, vectors["out.flow"])
    assert_close(its_warp(vectors["in.x"], field), vectors["out.warped"])


@pytest.fixture
def tm_tvf(described: Described, golden: Golden) -> TmTvf:
    about = described("transmorph_tvf_wbir_small")
    config = TmTvfConfig(sizes=sizes_of(about["config"]), time_steps=about["time_steps"])
    return loaded(config.build(), golden("transmorph_tvf_wbir_small"))


@pytest.mark.golden
def test_both_tm_tvf_fields_are_the_published_ones(golden: Golden, tm_tvf: TmTvf) -> None:
    vectors = golden("transmorph_tvf_wbir_small")
    with torch.inference_mode():
        field, inverse = tm_tvf.forward_and_inverse(vectors["in.y"], vectors["in.x"])
        alone = tm_tvf(vectors["in.y"], vectors["in.x"])
    assert_close(field, vectors["out.flow"])
    assert_close(inverse, vectors["out.flow_inv"])
    assert torch.equal(alone, field)
    assert_close(warp_lumir(vectors["in.x"], field), vectors["out.warped"])


@pytest.mark.golden
def test_the_velocities_of_tm_tvf_are_the_published_ones(golden: Golden, tm_tvf: TmTvf) -> None:
    vectors = golden("transmorph_tvf_wbir_small")
    with torch.inference_mode():
        field, velocities = tm_tvf.velocities(vectors["in.y"], vectors["in.x"])
    so_far = torch.zeros_like(field)
    for step, velocity in enumerate(velocities):
        assert_close(velocity, vectors[f"out.velocity{step}"])
        so_far = so_far + warp_lumir(velocity, velocity)
        assert_close(so_far, vectors[f"out.cumflow_half{step}"])
    assert torch.equal(so_far, field)


def awake(model: RegistrationModel, std: float = 0.02) -> RegistrationModel:
    """With heads that move something."""
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if name.startswith("reg_head") and parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=std)
    return model


def pair(shape: tuple[int, int, int] = (32, 32, 64)) -> tuple[Tensor, Tensor]:
    return made_up_volume(shape, 1), made_up_volume(shape, 2)


FOUR_LEVELS = pytest.mark.parametrize(
    "config",
    [
        TransMorphIxiConfig(sizes=SMALL),
        TransMorphOasisConfig(sizes=SMALL),
        TmTvfConfig(sizes=SMALL, time_steps=3),
    ],
    ids=lambda config: config.name,
)


@FOUR_LEVELS
def test_a_grid_that_does_not_suit_is_refused_with_the_nearest(config: TmTvfConfig) -> None:
    with pytest.raises(ValueError, match=r"of 32, got \(30.*the nearest is \(32, 32, 64\)"):
        config.build()(*pair((30, 32, 64)))


@pytest.mark.parametrize(
    "config", [TransMorphOasisConfig(sizes=SMALL), TmTvfConfig(sizes=SMALL, time_steps=2)]
)
def test_the_correction_says_to_the_scorer_what_the_network_meant(config: TmTvfConfig) -> None:
    fixed, moving = pair()
    plain = awake(config.build()).eval()
    corrected = config.model_copy(update={"correct_bias": True}).build().eval()
    corrected.load_state_dict(plain.state_dict())
    with torch.inference_mode():
        field = plain(fixed, moving)
        assert torch.equal(corrected(fixed, moving), correct_lumir_bias(field))
        meant = warp_lumir(moving, field)
        torch.testing.assert_close(warp(moving, corrected(fixed, moving)), meant)


def test_the_inverse_of_tm_tvf_undoes_a_small_displacement() -> None:
    model = awake(TmTvfConfig(sizes=SMALL, time_steps=3).build(), 0.01).eval()
    fixed, moving = pair((64, 64, 64))
    with torch.inference_mode():
        field, inverse = model.forward_and_inverse(fixed, moving)
        rest = inverse + warp(field, inverse, padding="border")
    inside = (..., *[slice(8, -8)] * 3)
    assert field[inside].square().mean().sqrt() > 0.05
    assert rest[inside].square().mean() < 0.25 * field[inside].square().mean()
