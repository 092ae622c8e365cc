"""Runs whose run file names a segmentation: anatomy terms, and estimates of the Dice."""

import json
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from models.segmentation.network import SegmentationNetworkConfig
from pipeline.register.config import RunConfig
from tests.pipeline.conftest import Command

REFINE = """
[segmentation]
weights = "seg.safetensors"

[[refine]]
name = "instance_optimisation"
anatomy = {{ weight = {weight} }}
regularisers = [{{ weight = 0.1, term = {{ name = "diffusion" }} }}]
levels = [
    {{ shrink = 4, control = 4, steps = 2, learning_rate = 0.1 }},
    {{ shrink = 1, control = 2, steps = 1, learning_rate = 0.1 }},
]
"""


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = SegmentationNetworkConfig().build()
    torch.nn.init.normal_(network.head.weight)  # clear-cut labels
    save_file(network.state_dict(), tmp_path / "seg.safetensors")
    path = tmp_path / "run.toml"
    path.write_text(REFINE.format(weight=1.0))
    return path


def run(command: Command, run_file: Path, phantom: Path, output: Path) -> dict[str, dict]:  # type: ignore[type-arg]
    ran = command(
        *("run", "--config", run_file, "--task", phantom / "phantom.toml", "--device", "cpu"),
        *("--dataset", phantom / "PHANTOM_dataset.json", "--output", output),
    )
    assert ran.code == 0, ran.err
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["settings"]["segmentation_sha256"]
    return manifest["pairs"]


def test_each_pair_has_an_estimate_and_the_term_makes_it_better(
    run_file: Path, phantom: Path, tmp_path: Path, command: Command
) -> None:
    for pair in run(command, run_file, phantom, tmp_path / "out").values():
        level = pair["refinements"][0]["levels"][0]
        assert level["losses_at_best"]["anatomy"] < level["losses_at_start"]["anatomy"]
        assert 0 < pair["estimate"]["before"] < 1
        assert len(pair["estimate"]["structures"]) == 31
        suspect = pair["estimate"]["suspect"]
        assert (suspect is None) == (not any("suspect" in text for text in pair["warnings"]))


def test_other_weights_of_the_segmentation_make_the_pair_anew(
    run_file: Path, phantom: Path, tmp_path: Path, command: Command
) -> None:
    first = run(command, run_file, phantom, tmp_path / "out")
    torch.manual_seed(1)
    save_file(SegmentationNetworkConfig().build().state_dict(), tmp_path / "seg.safetensors")
    second = run(command, run_file, phantom, tmp_path / "out")
    for name, pair in first.items():
        assert second[name]["field_sha256"] != pair["field_sha256"]


def test_an_anatomy_term_without_a_segmentation_is_refused() -> None:
    refine = {
        "name": "instance_optimisation",
        "anatomy": {"weight": 1.0},
        "levels": [{"shrink": 1, "control": 1, "steps": 1, "learning_rate": 0.1}],
    }
    with pytest.raises(ValidationError, match="say which network segments the images"):
        RunConfig.model_validate({"refine": [refine]})
