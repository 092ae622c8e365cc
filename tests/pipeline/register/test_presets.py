"""The run files that come with the project."""

from pathlib import Path

import pytest

from models.descent.field import InstanceOptimisationConfig
from models.descent.weights import WeightOptimisationConfig
from models.optim.optimisers import AdamConfig
from pipeline.register.config import RunConfig, load_run

FOLDER = Path(__file__).parents[3] / "configs"
PRESETS = sorted(path for path in FOLDER.rglob("*.toml") if path.parent.name != "train")


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_run_file_is_one(path: Path) -> None:
    config = load_run(path)
    assert config.task == "lumir24"
    assert bool(config.refine) == (path.stem not in {"initial", "network"})
    assert path.read_text().startswith("# ")  # what it is for


def refinement(name: str) -> object:
    (part,) = load_run(FOLDER / f"{name}.toml").refine
    return part


def test_p2_is_as_its_paper_says() -> None:
    part = refinement("p2_unigradicon_io_gp")
    assert isinstance(part, WeightOptimisationConfig)
    assert part.optimiser == AdamConfig(amsgrad=True, weight_decay=1e-3)
    assert (part.learning_rate, part.steps, part.direction) == (2e-5, 50, "both_ways")
    assert [(term.term.name, term.weight) for term in part.regularisers] == [("gradicon", 1.5)]
    assert (part.similarity.name, part.similarity.sigma) == ("lncc_gaussian", 5.0)
    assert part.combine.name == "project_one"


def test_optron_is_as_its_code_says() -> None:
    part = refinement("optron_field")
    assert isinstance(part, InstanceOptimisationConfig)
    (level,) = part.levels
    assert (level.shrink, level.control, level.steps, level.learning_rate) == (1, 1, 10, 0.1)
    assert (part.optimiser, part.keep) == (AdamConfig(amsgrad=True), "last")
    assert level.similarity.window == 9


def test_the_default_ends_as_the_refinement_alone_does() -> None:
    alone, default = load_run(FOLDER / "lumir_io.toml"), load_run(FOLDER / "lumir.toml")
    network = load_run(FOLDER / "network.toml")
    (part,) = alone.refine
    _, first, *others = part.levels
    smooth, folding = part.regularisers
    shorter = part.model_copy(
        update={
            "levels": (first.model_copy(update={"steps": 20}), *others),
            "regularisers": (smooth, folding.model_copy(update={"weight": 10.0})),
        }
    )
    assert default == network.model_copy(update={"refine": (shorter,)})


@pytest.mark.parametrize("name", ["project_one", "pcgrad"])
def test_combinations_are_compared_with_the_plain_sum(name: str) -> None:
    plain = load_run(FOLDER / "compared/sum.toml")
    (part,) = plain.refine
    changed = RunConfig.model_validate(
        plain.model_dump() | {"refine": [part.model_dump() | {"combine": {"name": name}}]}
    )
    assert load_run(FOLDER / f"compared/{name}.toml") == changed


def test_each_preset_goes_on_where_the_one_before_ends() -> None:
    plain, default, accurate = map(refinement, ("compared/sum", "lumir_io", "accurate"))
    assert isinstance(default, InstanceOptimisationConfig)
    *levels, finest = default.levels
    assert plain == default.model_copy(update={"levels": tuple(levels)})
    every_voxel = finest.model_copy(update={"control": 1})
    smooth, folding = default.regularisers
    assert accurate == default.model_copy(
        update={
            "levels": (*default.levels, every_voxel),
            "regularisers": (smooth, folding.model_copy(update={"weight": 20.0})),
        }
    )
