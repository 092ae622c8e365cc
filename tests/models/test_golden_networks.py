"""Every published network against fields of the published code, without any data from outside."""

import json
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file

from models.base import InvertibleModel
from models.catalog import ModelConfig
from tests.models.recipes import made_up_volume, made_up_weights

GOLDEN = Path(__file__).parents[1] / "golden"
ABOUT = json.loads((GOLDEN / "networks.json").read_text())
ATOL = 2e-4
"""In voxels."""


@pytest.mark.parametrize("name", ABOUT)
def test_the_field_is_the_published_one(name: str) -> None:
    about, vectors = ABOUT[name], load_file(GOLDEN / "networks.safetensors")
    model = TypeAdapter(ModelConfig).validate_python(about["config"]).network().eval()
    weights = made_up_weights(model.state_dict(), about["head_std"], about["gain"])
    model.load_state_dict(weights)
    x, y, z = about["shape"]
    moving, fixed = (made_up_volume((x, y, z), seed) for seed in about["seeds"])
    if name.startswith("unigradicon"):  # its vectors have the axes of ITK
        moving, fixed = moving.transpose(2, 4), fixed.transpose(2, 4)
    found = {}
    with torch.inference_mode():
        if isinstance(model, InvertibleModel):
            found["field"], found["inverse"] = model.both(fixed, moving)
        else:
            found["field"] = model(fixed, moving)
    for kind, field in found.items():
        if kind == "field" or f"{name}.{kind}" in vectors:
            published = vectors[f"{name}.{kind}"]
            assert published.abs().max() > 0.5
            torch.testing.assert_close(field[..., ::2, ::2, ::2], published, atol=ATOL, rtol=0)


def test_every_network_of_the_catalogue_is_compared() -> None:
    compared = {about["config"]["name"] for about in ABOUT.values()}
    same_graph = {"tm_tvf_lddmm"}  # as tm_tvf, with fewer steps
    names = set(TypeAdapter(ModelConfig).json_schema()["discriminator"]["mapping"])
    assert names - {"identity"} == compared | same_graph
