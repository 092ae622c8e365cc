"""The run files that come with the project."""

import re
import tomllib
from pathlib import Path

import pytest

from l2r.task import load_task
from models.optim.combine import ProjectOne, SumGradients
from models.training.state import LAST
from models.weights.registry import registered
from pipeline.register.config import RunConfig, load_run
from pipeline.register.request import default_config

FOLDER = Path(__file__).parents[3] / "configs"
PRESETS = sorted(path for path in FOLDER.rglob("*.toml") if "train" not in path.parts)
T1 = [path for path in PRESETS if path.stem.startswith("t1_")]


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_run_file_is_one_for_any_task(path: Path) -> None:
    config = load_run(path)
    assert config != RunConfig()
    assert "task" not in tomllib.loads(path.read_text())
    assert path.read_text().startswith("# ")  # its purpose


@pytest.mark.parametrize("path", T1, ids=lambda path: path.stem)
def test_files_for_t1_brains_differ_in_the_refinement_alone(path: Path) -> None:
    config = load_run(path)
    assert str(config.model.weights) in registered()
    predicts = config.model_copy(update={"refine": (), "segmentation": None})
    assert predicts == load_run(FOLDER / "t1_network.toml")


def test_anatomy_is_asked_for_in_one_file_alone() -> None:
    """LUMIR's organisers ask that labels not be used."""
    with_anatomy = {path.stem for path in PRESETS if load_run(path).segmentation is not None}
    assert with_anatomy == {"t1_anatomy"}


@pytest.mark.parametrize("steps", [50, 100])
def test_the_optimisations_of_p2_differ_in_projection_and_steps_alone(steps: int) -> None:
    end = "" if steps == 50 else f"_{steps}"
    plain, projected = (
        load_run(FOLDER / f"unigradicon_{name}{end}.toml") for name in ("io", "io_gp")
    )
    for config, combine in ((plain, SumGradients()), (projected, ProjectOne())):
        (refine,) = config.refine
        assert (refine.steps, refine.keep, refine.combine) == (steps, "last", combine)
        assert config.model_copy(update={"refine": ()}) == load_run(FOLDER / "unigradicon.toml")
    like = {"combine": SumGradients()}
    assert projected.refine[0].model_copy(update=like) == plain.refine[0]


def test_the_run_files_of_p2_begin_with_what_its_training_file_leaves() -> None:
    text = (FOLDER / "train/unigradicon/lumir.toml").read_text()
    (folder,) = re.findall(r"--output (\S+)", text)
    assert load_run(FOLDER / "unigradicon.toml").model.weights == Path(folder) / LAST


@pytest.mark.parametrize(("task", "name"), [("lumir24", "t1_default"), ("oasis", "any_default")])
def test_the_default_follows_from_what_a_task_shows(task: str, name: str) -> None:
    assert default_config(load_task(task)) == FOLDER / f"{name}.toml"
