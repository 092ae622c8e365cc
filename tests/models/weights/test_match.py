import tomllib
from typing import get_args

import pytest
import torch
from torch import Tensor

from models.networks.base import NetworkConfig
from models.networks.catalog import ModelConfig
from models.networks.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.networks.transmorph.four_levels import FourLevelConfig
from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.networks.transmorph.sizes import ClassicSizes, LumirSizes, classic_sizes
from models.networks.transmorph.tm_tvf import TmTvfConfig, TmTvfLddmmConfig
from models.types import State
from models.weights.match import as_toml, compare_with_catalog, in_words, name_of, networks

UNION, *_ = get_args(ModelConfig)
WITH_WEIGHTS = [kind for kind in get_args(UNION) if kind.trainable]


def state_of(config: NetworkConfig) -> dict[str, Tensor]:
    """Names, shapes and types, without numbers."""
    with torch.device("meta"):
        return dict(config.build().state_dict())


def fitting(state: State) -> list[NetworkConfig]:
    return [c.config for c in compare_with_catalog(state) if not c.differences]


@pytest.mark.parametrize("kind", WITH_WEIGHTS, ids=name_of)
def test_every_network_recognises_its_own_weights(kind: type[NetworkConfig]) -> None:
    assert kind() in fitting(state_of(kind()))


@pytest.mark.slow
@pytest.mark.parametrize("size", ["tiny", "small", "normal", "large"])
@pytest.mark.parametrize("kind", [TransMorphIxiConfig, TransMorphOasisConfig])
def test_published_sizes_are_told_apart(
    kind: type[TransMorphIxiConfig | TransMorphOasisConfig], size: str
) -> None:
    assert fitting(state_of(kind(sizes=size))) == [kind(sizes=size)]


@pytest.mark.slow
def test_time_steps_are_read_off_the_weights() -> None:
    found = fitting(state_of(TmTvfConfig(sizes="tiny", time_steps=3)))
    assert TmTvfConfig(sizes="tiny", time_steps=3) in found
    assert TmTvfLddmmConfig(sizes="tiny", time_steps=3) in found


def test_what_needs_fewer_words_comes_first() -> None:
    eight = fitting(state_of(TmTvfConfig(time_steps=8)))
    assert eight == [TmTvfLddmmConfig(), TmTvfConfig(time_steps=8)]
    assert list(map(in_words, eight)) == [
        'name = "tm_tvf_lddmm"',
        'name = "tm_tvf" with time_steps = 8',
    ]


def test_half_precision_fits_too() -> None:
    state = state_of(TransMorphIxiConfig(sizes="tiny"))
    halved = {n: v.half() if v.is_floating_point() else v for n, v in state.items()}
    assert fitting(halved) == [TransMorphIxiConfig(sizes="tiny")]


WINDOWS = [(5, 6, 5), (5, 6, 6), (7, 6, 5), (4, 4, 4)]


@pytest.mark.slow
@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("kind", [TransMorphIxiConfig, TransMorphOasisConfig, TmTvfConfig])
def test_windows_are_read_off_the_weights(
    kind: type[FourLevelConfig], window: tuple[int, int, int]
) -> None:
    """Weights of a window of 7 x 6 x 5 have the names and shapes of the usual 5 x 6 x 7."""
    sizes = classic_sizes("tiny").model_copy(update={"window": window})
    found = fitting(state_of(kind(sizes=sizes)))
    assert found[0] == kind(sizes=sizes)
    assert f"window = {list(window)}" in in_words(found[0])
    assert kind(sizes="tiny") not in found


def test_ones_own_sizes_are_read_off_the_weights() -> None:
    sizes = LumirSizes(embed_dim=8, depths=(1, 1, 2), heads=(2, 4, 2), head_channels=4)
    own = TransMorphLumirConfig(sizes=sizes.model_copy(update={"time_steps": 3}))
    assert fitting(state_of(own)) == [own]
    classic = {"embed_dim": 8, "depths": (2, 1, 1, 1), "heads": (2, 2, 4, 2), "window": (2, 3, 3)}
    other = TransMorphIxiConfig(sizes=ClassicSizes(**classic, head_channels=6))
    assert fitting(state_of(other)) == [other]


def test_a_state_with_a_part_missing_still_resembles_its_network() -> None:
    state = state_of(TransMorphLumirConfig())
    del state["transformer.patch_embed.proj.weight"]
    nearest = compare_with_catalog(state)[0]
    assert nearest.config == TransMorphLumirConfig()
    assert nearest.differences.missing == ("transformer.patch_embed.proj.weight",)


def test_what_is_no_network_fits_nothing() -> None:
    compared = compare_with_catalog({"a": torch.zeros(1)})
    assert all(comparison.differences for comparison in compared)
    assert all(comparison.common == 0 for comparison in compared)
    assert {name_of(comparison.config) for comparison in compared} == set(networks())


def test_a_configuration_in_toml_is_read_as_the_same() -> None:
    sizes = ClassicSizes(embed_dim=8, depths=(2, 1, 1, 1), heads=(2, 2, 2, 2), window=(2, 3, 3))
    told = {"sizes": sizes.model_dump(mode="json"), "on": True, "text": 'a "ä" 😀', "none": {}}
    assert tomllib.loads(f"told = {as_toml(told)}")["told"] == told
