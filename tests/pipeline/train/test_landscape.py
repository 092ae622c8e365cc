"""`python -m pipeline landscape`, as its user sees it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from l2r.errors import ConfigError
from l2r.phantom import write_phantom
from models.training.config import load_training
from pipeline.train.landscape import LandscapeRequest, landscape
from tests.models.networks.small_networks import awake
from tests.pipeline.train.test_command import run, written


@pytest.fixture(scope="module")
def brains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a few made-up brains; do not write into it."""
    folder = tmp_path_factory.mktemp("brains")
    write_phantom(folder, shape=(16, 16, 16), subjects=3)
    return folder


@pytest.fixture
def words(tmp_path: Path, brains: Path) -> tuple[object, ...]:
    config, weights = written(tmp_path / "training.toml", brains), tmp_path / "weights.safetensors"
    torch.manual_seed(0)
    save_file(awake(load_training(config).model).state_dict(), weights)
    dataset = brains / "PHANTOM_dataset.json"
    return config, "--weights", weights, "--dataset", dataset, "--output", tmp_path / "l.csv"


@pytest.mark.slow
def test_a_table_of_losses_and_its_picture(tmp_path: Path, words: tuple[object, ...]) -> None:
    done = run("landscape", *words, "--points", 3, "--reach", 0.5)
    assert done.stdout == f"{tmp_path / 'l.csv'}\n"
    head, *lines = (tmp_path / "l.csv").read_text().splitlines()
    assert head == "first,second,similarity,diffusion"
    table = np.array([line.split(",") for line in lines], float)
    assert table.shape == (9, 4)
    assert table[:, :2].tolist() == [[a, b] for a in (-0.5, 0, 0.5) for b in (-0.5, 0, 0.5)]
    assert len(np.unique(table[:, 2])) == 9
    assert table[:, 2].max() < 0 < table[:, 3].min()
    picture = tmp_path / "l.png"
    run("figure", "landscape", tmp_path / "l.csv", "--output", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_network_without_weights_is_refused(tmp_path: Path, brains: Path) -> None:
    config = written(tmp_path / "training.toml", brains, model='name = "identity"')
    request = LandscapeRequest(config, tmp_path / "none.safetensors", [], reach=1.0, points=3)
    with pytest.raises(ConfigError, match=r"training\.toml: network 'identity' has no weights"):
        landscape(request, tmp_path / "l.csv")
