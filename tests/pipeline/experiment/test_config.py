"""Experiment files."""

from pathlib import Path

import pytest

from l2r.errors import ConfigError
from models.training.config import load_training
from pipeline.experiment.config import load_experiment
from pipeline.register.config import load_run

FILES = sorted(
    path
    for path in (Path(__file__).parents[3] / "benchmarks" / "experiments").glob("p*.toml")
    if "systems" in path.read_text()
)
TEXT = """\
title = "Two systems"
task = "aseg"
dataset = "pairs.json"

[[systems]]
name = "one"
run = "run.toml"

[[systems]]
name = "other"
run = "run.toml"
training = { file = "training.toml", set = ["epochs=1"] }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for name in ("pairs.json", "run.toml", "training.toml"):
        (tmp_path / name).touch()
    (tmp_path / "experiment.toml").write_text(TEXT)
    return tmp_path / "experiment.toml"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_files_of_the_papers_can_be_done(path: Path) -> None:
    config = load_experiment(path)
    for system in config.systems:
        run = load_run(system.run, system.overrides)
        if system.training is not None:
            training = load_training(system.training.file, system.training.overrides)
            assert run.model.name == training.model.name  # whose weights the run is given
            assert run.passes == training.passes
    assert config.compared_with in {system.name for system in config.systems}


def test_paths_are_those_beside_the_file(file: Path) -> None:
    config = load_experiment(file)
    assert config.dataset == file.with_name("pairs.json")
    assert config.systems[1].training is not None
    assert config.systems[1].training.file == file.with_name("training.toml")
    assert config.compared_with == "one"


def test_values_of_the_command_line_go_before_those_of_the_file(file: Path) -> None:
    (file.parent / "brains").mkdir()
    config = load_experiment(file, ["seeds=[4]", "data.training=brains", "reference=other"])
    assert config.seeds == (4,)
    assert config.data.training == file.parent / "brains"
    assert config.compared_with == "other"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('name = "other"', 'name = "one"', "a system is named twice: one, one"),
        ('name = "other"', 'name = "a/b"', "its name becomes a folder's"),
        ('task = "aseg"', 'task = "aseg"\nreference = "x"', "reference 'x' is none of: one, other"),
        ('"training.toml"', '"gone.toml"', "gone.toml: no such file or folder"),
        ('"pairs.json"', '"gone.json"', "gone.json: no such file or folder"),
    ],
)
def test_a_file_that_cannot_be_done_is_refused(
    file: Path, before: str, after: str, message: str
) -> None:
    file.write_text(TEXT.replace(before, after))
    with pytest.raises(ConfigError, match=message):
        load_experiment(file)
