"""A network in a run file, with weights in the form that the organisers publish."""

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.networks.transmorph.sizes import LumirSizes
from tests.pipeline.conftest import Command

SIZES = {"embed_dim": 8, "depths": (1, 1, 1), "heads": (2, 2, 2), "head_channels": 4}
RUN_FILE = """
[model]
name = "transmorph_lumir"
weights = "{weights}"

[model.sizes]
embed_dim = 8
depths = [1, 1, 1]
heads = [2, 2, 2]
head_channels = 4
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A trained-looking checkpoint: state and optimiser, the grids that old networks keep."""
    torch.manual_seed(0)
    model = TransMorphLumirConfig(sizes=LumirSizes(**SIZES)).build()
    for head in model.reg_heads:
        torch.nn.init.normal_(head[0].weight, std=0.05)
    state = model.state_dict() | {"spatial_trans.grid": torch.zeros(1, 3, 2, 2, 2)}
    path = tmp_path / "published.pth.tar"
    torch.save({"state_dict": state, "optimizer": {"state": {}, "param_groups": []}}, path)
    return path


def test_its_prediction_is_cut_back_to_the_images_grid_and_written(
    command: Command, words: Sequence[str | Path], quick: Path, checkpoint: Path, tmp_path: Path
) -> None:
    quick.write_text(RUN_FILE.format(weights=checkpoint))
    ran = command("run", *words)
    assert ran.code == 0, ran.err
    field = np.asarray(nib.load(tmp_path / "out/disp_0002_0001.nii.gz").dataobj)
    assert field.shape == (32, 40, 36, 3)
    assert 1e-3 < np.abs(field).max() < 40
    settings = json.loads((tmp_path / "out/manifest.json").read_text())["settings"]
    assert len(settings["weights_sha256"]) == 64


def test_other_weights_make_the_fields_anew(
    command: Command, words: Sequence[str | Path], quick: Path, checkpoint: Path
) -> None:
    quick.write_text(RUN_FILE.format(weights=checkpoint))
    command("run", *words)
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["reg_heads.0.0.bias"] += 1
    torch.save(content, checkpoint)
    assert command("run", *words).out.startswith("2 done")


def test_a_refinement_goes_on_from_a_prediction(
    command: Command, words: Sequence[str | Path], quick: Path, checkpoint: Path, tmp_path: Path
) -> None:
    quick.write_text(RUN_FILE.format(weights=checkpoint) + quick.read_text())
    assert command("run", *words).code == 0
    entries = json.loads((tmp_path / "out/manifest.json").read_text())["pairs"].values()
    for entry in entries:
        for level in entry["refinements"][0]["levels"]:
            assert sum(level["losses_at_best"].values()) < sum(level["losses_at_start"].values())


def field_of(folder: Path) -> np.ndarray:
    return np.asarray(nib.load(folder / "out/disp_0002_0001.nii.gz").dataobj)


@pytest.mark.slow
@pytest.mark.parametrize("line", ['precision = "bfloat16"', "voxel_mm = 0.5"])
def test_another_precision_or_voxel_size_reaches_the_network(
    command: Command,
    words: Sequence[str | Path],
    quick: Path,
    checkpoint: Path,
    tmp_path: Path,
    line: str,
) -> None:
    text = RUN_FILE.format(weights=checkpoint)
    quick.write_text(text)
    command("run", *words)
    before = field_of(tmp_path)
    quick.write_text(line + text)
    ran = command("run", *words)
    assert ran.code == 0, ran.err
    after = field_of(tmp_path)
    assert after.shape == before.shape
    assert not np.array_equal(after, before)
    if "precision" in line:
        assert np.square(after - before).mean() < 0.01 * np.square(before).mean()


def test_weights_that_do_not_fit_end_the_run_with_a_line(
    command: Command, words: Sequence[str | Path], quick: Path, checkpoint: Path
) -> None:
    text = RUN_FILE.format(weights=checkpoint)
    quick.write_text(text.replace("embed_dim = 8", "embed_dim = 16"))
    ran = command("run", *words)
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert "published.pth.tar" in ran.err


def test_a_network_without_weights_is_not_done(
    command: Command, words: Sequence[str | Path], quick: Path, tmp_path: Path
) -> None:
    quick.write_text(RUN_FILE.replace('weights = "{weights}"\n', ""))
    ran = command("run", *words, "--limit", "1")
    assert (ran.code, ran.out.split(" in ")[0]) == (1, "1 unimproved")
    assert "the network moved nothing; is it trained" in ran.err
    (entry,) = json.loads((tmp_path / "out/manifest.json").read_text())["pairs"].values()
    assert entry["status"] == "unimproved"
    assert "the network moved nothing" in entry["warnings"][-1]
