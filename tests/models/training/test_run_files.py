"""Training files of the project, and the experiments that docs/training.md derives from them."""

import re
import tomllib
from pathlib import Path

import pytest

from l2r.task import load_task
from models.training.config import TrainConfig, load_training
from models.training.guidance.config import GuidanceTerm

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "configs" / "train"
FILES = sorted(FOLDER.rglob("*.toml"))
REGISTRATIONS = [path for path in FILES if path.parent.name != "segmentation"]
ROW = re.compile(r"^\| ([^|]+) \| `([a-z0-9_/]+)` \| `(.+)` \|$", re.MULTILINE)
EXPERIMENTS = ROW.findall((ROOT / "docs/training.md").read_text())


@pytest.mark.parametrize("path", REGISTRATIONS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_one_can_be_trained_with_and_begins_with_its_purpose(path: Path) -> None:
    config = load_training(path)
    load_task(config.task)
    assert path.read_text().startswith("# ")
    assert config.model.trainable


def test_the_page_lists_every_file() -> None:
    page = (ROOT / "docs/training.md").read_text()
    for path in FILES:
        assert re.search(rf"`({path.parent.name}/)?{path.stem}`", page), path


def test_the_page_has_the_experiments_of_five_papers() -> None:
    assert len(EXPERIMENTS) == 13


@pytest.mark.parametrize("row", EXPERIMENTS, ids=lambda row: row[0][:40])
def test_the_lines_of_an_experiment_make_another_training(
    row: tuple[str, str, str], tmp_path: Path
) -> None:
    base = FOLDER / f"{row[1]}.toml"
    lines = row[2].split("`<br>`")
    text = "\n".join([f'extends = "{base}"', *lines])
    (tmp_path / "own.toml").write_text(text)
    plain, changed = load_training(base), load_training(tmp_path / "own.toml")
    keys = {key for line in lines for key in tomllib.loads(line)}
    different = {
        name for name in TrainConfig.model_fields if getattr(plain, name) != getattr(changed, name)
    }
    assert different == keys


GUIDED = [path for path in FILES if path.parent.name in {"ofg", "optron"}]


@pytest.mark.parametrize("path", GUIDED, ids=lambda path: path.stem)
def test_every_guided_recipe_has_a_twin_that_differs_in_guidance_alone(path: Path) -> None:
    stem = path.stem.removesuffix("_unguided")
    guided, alone = (
        load_training(path.with_name(f"{stem}{end}.toml")) for end in ("", "_unguided")
    )
    assert guided.guidance
    assert alone == guided.model_copy(update={"guidance": ()})


def test_images_are_turned_round_where_the_published_code_does() -> None:
    (flip,) = load_training(FOLDER / "ofg/ixi.toml").augment
    assert (flip.name, flip.axes, flip.together) == ("flip", (0, 1, 2), True)
    assert load_training(FOLDER / "optron/oasis.toml").augment == ()
    assert load_training(FOLDER / "optron/lpba.toml").augment == ()


@pytest.mark.parametrize("name", ["ofg/ixi", "optron/oasis", "optron/lpba"])
def test_guidance_without_settings_is_that_of_the_papers(name: str) -> None:
    assert load_training(FOLDER / f"{name}.toml").guidance == (GuidanceTerm(),)
