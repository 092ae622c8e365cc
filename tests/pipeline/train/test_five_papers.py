"""The papers' trainings and run files follow each other."""

import json
from pathlib import Path

import pytest
import torch

from l2r.phantom import write_phantom
from models.networks.gradicon.network import UniGradIconConfig
from models.training.state import export
from tests.pipeline.train.test_command import ROOT, run

SHAPE = (18, 21, 20)
SIZES = {"down": [4, 8], "up": [4, 8]}


@pytest.mark.slow
def test_gradient_projection_begins_with_what_fine_tuning_leaves(tmp_path: Path) -> None:
    """P2 on a small uniGradICON and one step."""
    dataset = write_phantom(tmp_path / "brains", shape=(16, 16, 16), subjects=2)
    pairs = json.loads(dataset.read_text())["validation"][:1]
    images = [{"image": pairs[0][side]} for side in ("fixed", "moving")]
    dataset.write_text(json.dumps({"training": images, "validation": pairs}))
    torch.manual_seed(0)
    published = UniGradIconConfig(shape=SHAPE, sizes=SIZES).build()
    export(tmp_path / "published.safetensors", published)
    small = [f"model.shape={list(SHAPE)}", "model.sizes={ down = [4, 8], up = [4, 8] }"]

    def words(*settings: str) -> list[str]:
        return [word for text in (*small, *settings) for word in ("--set", text)]

    run(
        *("train", ROOT / "configs/train/unigradicon/lumir.toml", "--data", dataset),
        *("--output", tmp_path / "tuned"),
        *words(
            f"task={tmp_path / 'brains' / 'phantom.toml'}",
            f"model.weights={tmp_path / 'published.safetensors'}",
            *("epochs=1", "batch=1"),
        ),
    )
    weights = tmp_path / "tuned" / "last.safetensors"
    done = run(
        *("run", "--config", "unigradicon_io_gp", "--dataset", dataset),
        *("--task", tmp_path / "brains" / "phantom.toml", "--output", tmp_path / "fields"),
        *words(f"model.weights={weights}", "refine.0.steps=1"),
    )
    assert "1 done" in done.stderr + done.stdout
    manifest = json.loads((tmp_path / "fields" / "manifest.json").read_text())
    (pair,) = manifest["pairs"].values()
    assert len(pair["refinements"]) == 1
