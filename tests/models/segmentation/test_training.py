from pathlib import Path

import numpy as np
import pytest
import torch

from l2r.errors import TrainingError, WeightsError
from models.segmentation.config import SegmentationTraining, load_segmentation_training
from models.segmentation.samples import (
    RealImage,
    SyntheticImages,
    deformed,
    mirrored_at_random,
    target_at,
)
from models.segmentation.segmenter import HALF, Segmenter
from models.segmentation.structures import CLASSES, swap_channels, to_channels
from models.segmentation.training import SegmentationTrainer
from models.spatial.blocks import block_means
from models.training.state import CHECKPOINT, LAST, export
from models.training.synthesis.config import Deformation
from tests.models.segmentation.brains import training, two_halves

ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")


def trainer(**changes: object) -> SegmentationTrainer:
    config = training(**changes)
    return taught_by(config, real())


def taught_by(config: SegmentationTraining, real: list[RealImage]) -> SegmentationTrainer:
    return SegmentationTrainer(config, SyntheticImages([two_halves()], config, CPU), real, CPU)


def real(*, labelled: bool = False) -> list[RealImage]:
    labels = torch.from_numpy(two_halves())
    brain = torch.where(labels > 0, 0.4, 0.0)
    channels = to_channels(labels[None]).byte() if labelled else None
    return [RealImage(block_means(brain[None, None], HALF), channels)]


def ignore(_: int, __: float) -> None:
    pass


def test_the_loss_falls(tmp_path: Path) -> None:
    losses: list[float] = []
    taught = trainer(steps=40, learning_rate=3e-2)
    torch.nn.init.zeros_(taught.network.prior.logits)  # it would know this map from the start
    assert taught.run(tmp_path, None, lambda _, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_training_that_is_resumed_ends_as_one_that_ran_through(
    share: float, tmp_path: Path
) -> None:
    through, first, second = (trainer(real=share) for _ in range(3))
    through.run(tmp_path, None, ignore)
    for _ in range(3):
        first.train_step()
    first.save(tmp_path)
    second.restore(tmp_path)
    assert second.step == 3
    second.run(tmp_path, None, ignore)
    for name, value in through.averaged.state_dict().items():
        assert torch.equal(value, second.averaged.state_dict()[name]), name


def test_a_time_budget_ends_it_with_a_checkpoint(tmp_path: Path) -> None:
    stopped = trainer()
    assert not stopped.run(tmp_path, 0.0, ignore)
    assert stopped.step == 1
    assert (tmp_path / CHECKPOINT).is_file()


def test_checkpoints_of_other_settings_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    trainer().save(tmp_path)
    with pytest.raises(TrainingError, match="other settings"):
        trainer(learning_rate=1e-4).restore(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TrainingError, match="damaged or cut off"):
        trainer().restore(tmp_path)


def test_real_images_are_taught_only_from_their_first_step_on() -> None:
    """A step that sees a real image synthesises none."""
    taught = taught_by(training(real=1.0, real_from=2), real())
    for _ in range(2):
        taught._images._made.clear()
        taught.train_step()
        assert taught._images._made
    taught._images._made.clear()
    taught.train_step()
    assert not taught._images._made


def test_the_pool_moves_on_and_is_the_same_again() -> None:
    config = training(pool=2, reuse=2)
    images = SyntheticImages([two_halves()], config, CPU)
    again = SyntheticImages([two_halves()], config, CPU)
    for step in range(8):
        assert torch.equal(images(step).image, again(step).image)
    assert len(images._made) <= 2
    assert min(images._made) >= 2


def test_labels_move_with_a_real_image_that_is_deformed() -> None:
    (still,) = real(labelled=True)
    moved = deformed(still, Deformation(), torch.Generator().manual_seed(1))
    assert still.channels is not None
    assert moved.channels is not None
    assert moved.channels.shape[1:] == moved.image.shape[2:]
    inside = moved.image[0] > 0.2  # half of the brain's intensity
    before = still.image[0] > 0.2
    assert not torch.equal(inside, before)
    assert ((moved.channels > 0) == inside).float().mean() > 0.98
    assert ((moved.channels > 0) == before).float().mean() < 0.98


def test_real_images_are_deformed_if_asked() -> None:
    """All else that is drawn in the first step is alike."""
    losses = [
        taught_by(training(real=1.0, real_deformed=share), real(labelled=True)).train_step()
        for share in (0.0, 1.0)
    ]
    assert losses[0] != losses[1]


def test_labels_move_with_the_image_when_both_are_mirrored() -> None:
    image = torch.arange(4.0).view(1, 1, 4, 1, 1)
    channels = torch.tensor([1, 1, 18, 18]).view(1, 4, 1, 1)  # left and right white matter
    outcomes = set()
    for seed in range(8):
        random = torch.Generator().manual_seed(seed)
        seen, target = mirrored_at_random(image, channels, random, swap_channels)
        outcomes.add((tuple(seen.flatten().tolist()), tuple(target.flatten().tolist())))
    assert len(outcomes) == 2
    flipped = next(target for seen, target in outcomes if seen[0] == 3)
    assert flipped == (1, 1, 18, 18)  # left stays on the left


def test_calibration_leaves_out_soft_dice() -> None:
    whole, pure = trainer(), trainer(calibrated_from=1)
    assert pure.train_step() == whole.train_step()
    assert pure.train_step() < whole.train_step() - 0.1  # by one minus the soft Dice


@pytest.mark.parametrize("labelled", [False, True])
def test_calibration_sees_a_real_image_only_with_a_label_map(labelled: bool) -> None:
    taught = taught_by(training(real=1.0, calibrated_from=1), real(labelled=labelled))
    taught.train_step()
    taught._images._made.clear()
    taught.train_step()
    assert bool(taught._images._made) is not labelled


def test_the_network_learns_from_label_maps_of_real_images(tmp_path: Path) -> None:
    losses: list[float] = []
    taught = taught_by(training(steps=40, learning_rate=3e-2, real=1.0), real(labelled=True))
    torch.nn.init.zeros_(taught.network.prior.logits)
    taught.run(tmp_path, None, lambda _, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_a_finer_label_map_gives_shares_of_its_classes() -> None:
    channels = torch.zeros(1, 4, 4, 4, dtype=torch.uint8)
    channels[0, 0, :2, :2] = 5  # half of the first cube
    channels[0, 3, 3, 3] = 7  # an eighth of the last
    channels[0, 0, 3, 1] = 9  # an eighth of the third, (0, 1, 0)
    shares = target_at(channels, (2, 2, 2), (slice(None),) * 3)
    assert shares.shape == (len(CLASSES), 8)
    assert (shares[5, 0], shares[0, 0], shares[7, 7], shares[0, 7]) == (0.5, 0.5, 0.125, 0.875)
    assert shares[9].nonzero().tolist() == [[2]]
    part = target_at(channels, (2, 2, 2), (slice(1, None, 2), slice(1, None), slice(1, 2)))
    assert torch.equal(part, shares[:, 7:])
    same = target_at(channels, (4, 4, 4), (slice(3, 4),) * 3)
    assert same[:, 0].argmax() == 7


def test_a_training_can_begin_with_weights(tmp_path: Path) -> None:
    first = trainer()
    first.train_step()
    export(tmp_path / LAST, first.network)
    second = trainer(weights=tmp_path / LAST)
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
    with pytest.raises(WeightsError):
        trainer(weights=tmp_path / "none.safetensors")


@pytest.mark.parametrize("path", sorted((ROOT / "configs/train/segmentation").glob("*.toml")))
def test_a_training_file_builds_the_network_that_its_weights_fit(path: Path) -> None:
    config = load_segmentation_training(path)
    taught = taught_by(config, real())
    shipped = Segmenter.from_weights(Path("t1_anatomy"), CPU)._network
    assert taught.network.state_dict().keys() == shipped.state_dict().keys()
    assert path.read_text().startswith("# ")
