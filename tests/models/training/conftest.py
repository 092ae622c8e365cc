"""A small list of images to train on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from l2r.dataset import read_pairs, scans_of_folder
from l2r.grid import GridRule
from l2r.pairs import Scan
from l2r.phantom import write_phantom
from l2r.task import load_task
from models.descent.objective import WeightedRegulariser
from models.losses.diffusion import Diffusion
from models.losses.lncc import Lncc
from models.networks.voxelmorph.lumir import VoxelMorph1Config
from models.training.cache import Cache
from models.training.config import TrainConfig, TrainingObjective
from models.training.sampling import ListedPairs, PairPreprocessor, RandomPartners

NETWORK = VoxelMorph1Config(encoder=(4, 8, 8, 8), decoder=(8, 8, 8, 8), extras=(8, 4))
OBJECTIVE = TrainingObjective(
    similarity=Lncc(window=5),
    regularisers=(WeightedRegulariser(weight=0.05, term=Diffusion()),),
)
CONFIG = TrainConfig(model=NETWORK, objective=OBJECTIVE, learning_rate=3e-3, epochs=2)


@pytest.fixture(scope="session")
def brains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of six made-up brains; do not write into it."""
    folder = tmp_path_factory.mktemp("brains")
    write_phantom(folder, shape=(16, 16, 16), subjects=6)
    return folder


@pytest.fixture
def scans(brains: Path) -> list[Scan]:
    return scans_of_folder(brains / "imagesVal")


@pytest.fixture
def preprocessor(brains: Path, tmp_path: Path) -> PairPreprocessor:
    task = load_task(str(brains / "phantom.toml"))
    return PairPreprocessor(task, GridRule(multiple=16), Cache(tmp_path / "cache"))


@pytest.fixture
def partners(scans: list[Scan], preprocessor: PairPreprocessor) -> Callable[..., RandomPartners]:
    def make(count: int = 6, *, both_orders: bool = False) -> RandomPartners:
        return RandomPartners(scans[:count], preprocessor, seed=1, both_orders=both_orders)

    return make


@pytest.fixture
def judged(brains: Path, preprocessor: PairPreprocessor) -> ListedPairs:
    """Two pairs to validate with."""
    return ListedPairs(read_pairs(brains / "PHANTOM_dataset.json", brains)[:2], preprocessor)
