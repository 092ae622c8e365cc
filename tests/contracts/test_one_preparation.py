"""Training, validation and a run prepare a pair alike: a network is trained on what it will see."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from eval.scoring import Scorer
from l2r.dataset import read_pairs
from l2r.errors import ImageError
from l2r.formats.volumes import write_volume
from l2r.grid import GridRule, cube_means
from l2r.pairs import Pair
from l2r.prepare import PreparePair
from l2r.task import Task, load_task
from models.networks.base import RegistrationModel
from models.networks.passes import PassSettings
from models.training.cache import Cache
from models.training.sampling import PairPreprocessor
from pipeline.register.predict import PredictField, to_numpy
from pipeline.train.validation import ValidationScorer

CPU = torch.device("cpu")
LIST = '{"validation": [{"fixed": "images/F_0001_0000.nii", "moving": "images/M_0002_0000.nii"}]}'
SHAPES = [(16, 16, 16), (34, 34, 34), (17, 20, 23)]
RULES = [GridRule(), GridRule(multiple=16), GridRule(exactly=(12, 14, 10))]


class Witness(RegistrationModel):
    """Keeps the images that it is given, and answers with a ramp."""

    def __init__(self, rule: GridRule) -> None:
        super().__init__()
        self.grid = rule
        self.seen: list[Tensor] = []

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        self.check_grid(fixed)
        self.seen += [fixed.clone(), moving.clone()]
        return torch.linspace(-1, 1, 3 * fixed.numel()).reshape(1, 3, *fixed.shape[2:])


@dataclass
class Place:
    """One pair on the disk, with label maps."""

    folder: Path
    pair: Pair
    task: Task
    cache: Cache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = Cache(self.folder / "cache")

    def preprocessor(self, rule: GridRule, shrink: int) -> PairPreprocessor:
        return PairPreprocessor(
            self.task, rule, self.cache, labels=True, structures=(3, 7), shrink=shrink
        )


@pytest.fixture
def place(tmp_path: Path) -> Callable[..., Place]:
    """Noise of whole numbers, which the cache of a training keeps exactly, off the centre."""

    def make(shape: tuple[int, int, int], *, tissue: int = 9) -> Place:
        rng = np.random.default_rng(sum(shape))
        for name in ("F_0001_0000", "M_0002_0000"):
            inside = np.zeros(shape, bool)
            inside[2 : 2 + tissue, 3 : 3 + tissue, 4 : 4 + tissue] = True
            image = np.where(inside, rng.integers(50, 256, shape), 0).astype(np.uint8)
            labels = np.where(inside, rng.choice([3, 7, 70000], shape), 0).astype(np.int32)
            for kind, volume in (("images", image), ("labels", labels)):
                (tmp_path / kind).mkdir(exist_ok=True)
                write_volume(tmp_path / kind / f"{name}.nii", volume)
        (tmp_path / "list.json").write_text(LIST)
        (pair,) = read_pairs(tmp_path / "list.json", tmp_path)
        return Place(tmp_path, pair, lumir_of_any_shape())

    return make


def lumir_of_any_shape() -> Task:
    task = load_task("aseg")
    return task.model_copy(update={"data": task.data.model_copy(update={"shape": None})})


def run_of(place: Place, rule: GridRule, shrink: int) -> tuple[Witness, np.ndarray, tuple]:
    """What a run shows the network, the field that it exports, and its label maps."""
    network = Witness(rule)
    prepared = PreparePair(place.task, rule.finer(shrink), labels=True)(place.pair)
    predicted = PredictField(network, CPU, PassSettings((shrink,)))(prepared)
    return network, prepared.grid.place(to_numpy(predicted.field)), prepared.labels or ()


@pytest.mark.parametrize("shrink", [1, 2, 3])
@pytest.mark.parametrize("rule", RULES, ids=["any", "padded", "cropped"])
@pytest.mark.parametrize("shape", SHAPES)
def test_training_sees_what_a_run_sees(
    place: Callable[..., Place], shape: tuple[int, int, int], rule: GridRule, shrink: int
) -> None:
    here = place(shape)
    network, _, labels = run_of(here, rule, shrink)
    preprocessor = here.preprocessor(rule, shrink)
    case = preprocessor.make(preprocessor.read(here.pair), CPU)
    assert torch.equal(case.fixed, network.seen[0])
    assert torch.equal(case.moving, network.seen[1])
    assert case.labels is not None
    fine = [torch.from_numpy(found.astype(np.int64))[None, None] for found in labels]
    for mine, found in zip(case.labels, fine, strict=True):
        whole = torch.cat([(found == label).float() for label in (3, 7)], dim=1)
        torch.testing.assert_close(mine, torch.nn.functional.avg_pool3d(whole, shrink))


@pytest.mark.parametrize("shrink", [1, 2])
@pytest.mark.parametrize("rule", RULES, ids=["any", "padded", "cropped"])
def test_validation_judges_the_field_that_a_run_would_write(
    place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch, rule: GridRule, shrink: int
) -> None:
    here = place((17, 20, 23))
    _, expected, _ = run_of(here, rule, shrink)
    judged = []
    plain = Scorer.score_case

    def keep(scorer: Scorer, pair: Pair, vectors: np.ndarray, names: tuple[str, ...]) -> object:
        judged.append(vectors)
        return plain(scorer, pair, vectors, names)

    monkeypatch.setattr(Scorer, "score_case", keep)
    preprocessor = here.preprocessor(rule, shrink)
    ValidationScorer(preprocessor, [here.pair], here.folder, CPU)(Witness(rule))
    assert np.array_equal(judged[0], expected)


def test_tissue_that_a_run_would_lose_is_refused_in_training(place: Callable[..., Place]) -> None:
    here = place((40, 40, 40), tissue=34)
    rule = GridRule(exactly=(32, 32, 32))
    preprocessor = here.preprocessor(rule, 1)
    message = r"works on \(32, 32, 32\) only, and \d+ voxels beyond that are not background"
    with pytest.raises(ImageError, match=message):
        PreparePair(here.task, rule)(here.pair)
    with pytest.raises(ImageError, match=message):
        preprocessor.make(preprocessor.read(here.pair), CPU)


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_means_over_cubes_are_those_of_torch_bit_for_bit(side: int) -> None:
    volume = np.random.default_rng(side).normal(0, 100, (13, 12, 17)).astype(np.float32)
    pooled = torch.nn.functional.avg_pool3d(torch.from_numpy(volume)[None, None], side)
    assert np.array_equal(cube_means(volume, side), pooled[0, 0])
