"""Synthetic pairs and real ones in one training."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from l2r.dataset import read_pairs, scans_of_folder
from l2r.grid import GridRule
from models.descent.objective import ImagePair
from models.networks.base import RegistrationModel
from models.training.config import Images, TrainConfig, TrainingObjective
from models.training.context import TrainContext
from models.training.dataset import Dataset, Sample, generator
from models.training.loop import fit
from models.training.mixture import Mixture
from models.training.sampling import ListedPairs, PairPreprocessor, RandomPartners
from models.training.step import Objective
from models.training.synthesis.config import Deformation, Synthesis
from models.training.synthesis.pairs import SyntheticPairs
from tests.models.training.conftest import CONFIG, NETWORK, OBJECTIVE
from tests.models.training.test_loop import context_for

CPU = torch.device("cpu")
Partners = Callable[..., RandomPartners]
LABELLED = TrainingObjective(**dict(OBJECTIVE) | {"label_weight": 1.0})


def empty(_device: torch.device) -> ImagePair:
    return ImagePair(torch.zeros(1, 1, 2, 2, 2), torch.zeros(1, 1, 2, 2, 2))


class Counted(Dataset):
    """Remembers what was read of it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return self.size

    def read(self, epoch: int, number: int) -> Sample:
        self.seen.append((epoch, number))
        return empty


@pytest.fixture
def mixed(brains: Path, preprocessor: PairPreprocessor, partners: Partners) -> Mixture:
    wanted = replace(preprocessor, labels=True, structures=(2, 43))
    maps = scans_of_folder(brains / "labelsVal")
    moved = Synthesis(pairs=8, deformation=Deformation(degrees=0, voxels=3, noise_scales=()))
    return Mixture(partners(), SyntheticPairs(maps, wanted, moved, seed=0), 0.5, 1)


def loss_of_unseen_pairs(model: RegistrationModel, where: TrainContext) -> float:
    """Mean over the samples of an epoch that is never reached."""
    objective, source = Objective(model, where.config).eval(), where.dataset
    cases = [source.read(99, number)(CPU) for number in range(len(source))]
    with torch.no_grad():
        return sum(float(sum(objective(case, generator(0)).values())) for case in cases) / len(
            cases
        )


@pytest.mark.parametrize(("share", "batch"), [(0.5, 1), (0.25, 2), (0.7, 3)])
def test_the_share_is_kept_by_batches_of_one_kind(share: float, batch: int) -> None:
    real, made = Counted(7), Counted(60)
    source = Mixture(real, made, share, batch)
    for number in range(60):
        source.read(0, number)
    batches = 60 // batch
    assert len(real.seen) == int(batches * share) * batch
    assert len(made.seen) == 60 - len(real.seen)
    kinds = [number // batch for _, number in made.seen]
    assert all(kinds.count(kind) == batch for kind in kinds)


def test_real_pairs_all_have_their_turn(partners: Partners) -> None:
    real = Counted(7)
    source = Mixture(real, Counted(10), 0.5, 1)
    for epoch in range(7):
        for number in range(10):
            source.read(epoch, number)
    assert real.seen == [divmod(turn, 7) for turn in range(35)]


def test_the_label_loss_of_pairs_without_labels_is_zero(mixed: Mixture) -> None:
    config = CONFIG.model_copy(update={"objective": LABELLED})
    objective = Objective(NETWORK.build(), config)
    made, real = (mixed.read(0, number)(CPU) for number in (0, 1))
    assert made.labels is not None
    assert real.labels is None
    assert objective(made, generator(0))["labels"].item() > 0.1
    losses = objective(real, generator(0))
    assert len(losses) == len(LABELLED.objectives) == 3
    assert losses["labels"].item() == 0
    plain = Objective(objective.model, CONFIG)(real, generator(0))
    assert {"labels": losses["labels"], **plain} == losses


@pytest.mark.slow
def test_a_training_on_both_kinds_learns(tmp_path: Path, mixed: Mixture) -> None:
    torch.manual_seed(0)
    model = NETWORK.build()
    where = context_for(tmp_path / "out", mixed, objective=LABELLED, epochs=8, learning_rate=5e-3)
    before = loss_of_unseen_pairs(model, where)
    assert fit(model, where) == "finished"
    assert loss_of_unseen_pairs(model, where) < before - 0.015


def test_kinds_of_data_and_of_augmentation_are_named() -> None:
    parts = [{"name": "affine", "from_epoch": 50}, {"name": "flip"}, {"name": "gamma"}]
    config = TypeAdapter(TrainConfig).validate_python(
        {"model": NETWORK, "epochs": 1, "data": {"kind": "synthesis"}, "augment": parts}
    )
    assert isinstance(config.data, Synthesis)
    assert [part.from_epoch for part in config.augment] == [50, 0, 0]
    images = TrainConfig.model_validate({"model": NETWORK, "epochs": 1, "data": {"both_orders": 1}})
    assert isinstance(images.data, Images)
    with pytest.raises(ValidationError, match="'images', 'synthesis'"):
        TrainConfig(model=NETWORK, epochs=1, data={"kind": "phantoms"})


def test_shrunk_structures_are_means_and_lie_on_their_image(
    brains: Path, preprocessor: PairPreprocessor
) -> None:
    (pair, *_) = read_pairs(brains / "PHANTOM_dataset.json", brains)
    whole = replace(preprocessor, rule=GridRule(), labels=True, structures=(2, 43))
    for structures in ((2, 43), None):
        fine = ListedPairs([pair], replace(whole, structures=structures))
        coarse = ListedPairs([pair], replace(whole, structures=structures, shrink=2))
        one, other = (source.read(0, 0)(CPU).labels for source in (fine, coarse))
        assert one is not None
        assert other is not None
        for full, small in zip(one, other, strict=True):
            torch.testing.assert_close(small, torch.nn.functional.avg_pool3d(full, 2))
