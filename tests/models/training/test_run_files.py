"""The training files that come with the project."""

from pathlib import Path

import pytest

from models.descent.objective import WeightedRegulariser
from models.losses.diffusion import Diffusion
from models.losses.lncc import Lncc
from models.optim.optimisers import AdamConfig
from models.training.config import TrainConfig, load_training
from models.training.guidance.config import Lesson
from models.training.guidance.optimiser import OnlineOptimiserConfig

FOLDER = Path(__file__).parents[3] / "configs" / "train"
FILES = sorted(FOLDER.glob("*.toml"))
GUIDED = [path for path in FILES if path.stem.startswith(("p3_", "p4_"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_one_can_be_read_and_says_what_it_is_for(path: Path) -> None:
    load_training(path)
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize("path", GUIDED, ids=lambda path: path.stem)
def test_the_guided_ones_train_as_their_papers_do(path: Path) -> None:
    config = load_training(path)
    assert config.guidance
    assert config.learning_rate == 1e-4
    assert config.optimiser == AdamConfig(amsgrad=True)
    assert (config.schedule.over or config.epochs) == 500
    assert config.objective.similarity == Lncc(window=9)
    assert config.objective.regularisers == (WeightedRegulariser(weight=1.0, term=Diffusion()),)
    for lesson in config.guidance:
        assert lesson.regularisers == (WeightedRegulariser(weight=0.02, term=Diffusion()),)


def named(name: str) -> TrainConfig:
    return load_training(FOLDER / f"{name}.toml")


@pytest.mark.parametrize("network", ["voxelmorph", "vit_v_net", "transmorph"])
@pytest.mark.parametrize("paper", ["p3_optron_oasis", "p4_ofg_ixi"])
def test_the_papers_own_teacher_is_the_default(paper: str, network: str) -> None:
    config = named(f"{paper}_{network}")
    assert config.guidance == (Lesson(),)
    assert config.model.name.startswith(network)
    assert config.data.both_orders == ("oasis" in paper)


def test_the_comparisons_differ_in_their_teachers() -> None:
    cascade = named("p3_optron_lpba_cascaded").guidance[0].teacher
    assert (cascade.networks, cascade.descent.steps) == (2, 5)
    (level,) = named("p3_optron_lpba_down_sampled").guidance[0].teacher.descent.levels
    assert (level.shrink, level.control, level.steps) == (2, 2, 10)
    assert named("p4_ofg_ixi_network_teacher").guidance[0].teacher.epochs == 5
    first, then = named("p4_ofg_ixi_optimised_self_training").guidance
    assert (first.when.until, then.teacher) == (10, OnlineOptimiserConfig())
    assert first.teacher.refined.descent.convergence
    assert named("p4_ofg_ixi_self_training").guidance[0].teacher.model.weights
    assert named("p4_ofg_ixi_interval").guidance[0].when.every == 2
    assert named("p4_ofg_ixi_threshold").guidance[0].when.threshold == 0.5
    (weighed,) = named("p4_ofg_ixi_with_similarity").guidance
    assert (weighed.similarity, weighed.weight) == (1.0, 1000.0)
