"""Every network against the published one: names and shapes of weights, and fields.

The fields come from `tests/golden`, so that every clone can compare them.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file
from torch import Tensor

from models.networks.base import InvertibleModel
from models.networks.catalog import ModelConfig
from models.weights.match import compare_with_catalog
from tests.models.conftest import Described
from tests.models.networks.published import PUBLISHED, published_state
from tests.models.networks.recipes import made_up_volume, made_up_weights

GOLDEN = Path(__file__).parents[2] / "golden"
ABOUT = json.loads((GOLDEN / "networks.json").read_text())
ATOL = 2e-4
"""In voxels."""


@pytest.mark.parametrize("name", ABOUT)
def test_the_field_is_the_published_one(name: str) -> None:
    about, vectors = ABOUT[name], load_file(GOLDEN / "networks.safetensors")
    model = TypeAdapter(ModelConfig).validate_python(about["config"]).build().eval()
    weights = made_up_weights(model.state_dict(), about["head_std"], about["gain"])
    model.load_state_dict(weights)
    x, y, z = about["shape"]
    moving, fixed = (made_up_volume((x, y, z), seed) for seed in about["seeds"])
    if name.startswith("unigradicon"):  # its vectors have the axes of ITK
        moving, fixed = moving.transpose(2, 4), fixed.transpose(2, 4)
    found = {}
    with torch.inference_mode():
        if isinstance(model, InvertibleModel):
            found["field"], found["inverse"] = model.forward_and_inverse(fixed, moving)
        else:
            found["field"] = model(fixed, moving)
    for kind, field in found.items():
        if kind == "field" or f"{name}.{kind}" in vectors:
            published = vectors[f"{name}.{kind}"]
            assert published.abs().max() > 0.5
            torch.testing.assert_close(field[..., ::2, ::2, ::2], published, atol=ATOL, rtol=0)


def described_by(state: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    return {name: (tuple(value.shape), value.dtype) for name, value in state.items()}


@pytest.mark.golden
@pytest.mark.parametrize("keys", PUBLISHED)
def test_names_shapes_and_sizes_are_the_published_ones(described: Described, keys: str) -> None:
    config, count = PUBLISHED[keys]
    with torch.device("meta"):
        model = config.build()
    published = published_state(described, keys)
    assert described_by(model.state_dict()) == described_by(published)
    parameters = sum(value.numel() for value in model.parameters())
    assert parameters == count == described(keys)["n_params"]


@pytest.mark.golden
@pytest.mark.parametrize("keys", PUBLISHED)
def test_published_weights_are_recognised(described: Described, keys: str) -> None:
    best = compare_with_catalog(published_state(described, keys))[0]
    assert not best.differences
    assert best.config == PUBLISHED[keys][0]


def test_every_published_network_of_the_catalogue_is_compared() -> None:
    compared = {about["config"]["name"] for about in ABOUT.values()}
    same_graph = {"tm_tvf_lddmm"}  # as tm_tvf, with fewer steps
    own = {"identity", "pyramid"}
    names = set(TypeAdapter(ModelConfig).json_schema()["discriminator"]["mapping"])
    assert names - own == compared | same_graph
