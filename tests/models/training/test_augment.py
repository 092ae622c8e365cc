"""Augmentation: what each part does, to whom and when."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from l2r.dataset import read_pairs
from models.descent.objective import ImagePair
from models.losses.dice import SoftDice
from models.spatial.affine import affine, rotation, sampled
from models.training.augment import (
    AffineConfig,
    Augmentation,
    AugmentedPairs,
    Chance,
    FlipConfig,
    GainConfig,
    GammaConfig,
    IconConfig,
)
from models.training.dataset import Dataset, Sample
from models.training.sampling import PairPreprocessor, RandomPartners

CPU = torch.device("cpu")
ALWAYS = {"probability": 1.0}
EVERY = [
    AffineConfig(**ALWAYS),
    FlipConfig(**ALWAYS),
    GammaConfig(**ALWAYS),
    GainConfig(**ALWAYS),
    IconConfig(),
]
Partners = Callable[..., RandomPartners]


class Twins(Dataset):
    """Both images are one and the same block, which is its own label."""

    def __init__(self, side: int = 20) -> None:
        block = torch.zeros(1, 1, side, side, side)
        block[:, :, 4:12, 6:14, 8:16] = torch.rand(8, generator=torch.Generator().manual_seed(0))
        self.pair = ImagePair(block, block, (block.gt(0).float(), block.gt(0).float()))

    def __len__(self) -> int:
        return 100

    def read(self, _epoch: int, _number: int) -> Sample:
        return lambda _device: self.pair


def changed(*parts: Augmentation, number: int = 0, epoch: int = 0, shrink: int = 1) -> ImagePair:
    source = AugmentedPairs(Twins(), parts, shrink=shrink, seed=2)
    return source.read(epoch, number)(CPU)


def labels(case: ImagePair) -> tuple[Tensor, Tensor]:
    assert case.labels is not None
    return case.labels


@pytest.mark.parametrize("part", EVERY, ids=lambda part: part.name)
def test_a_change_follows_from_seed_epoch_and_number_alone(part: Augmentation) -> None:
    one, again = changed(part, number=3), changed(part, number=3)
    assert torch.equal(one.fixed, again.fixed)
    assert torch.equal(one.moving, again.moving)
    others = [changed(part, number=number).moving for number in range(4, 12)]
    assert any(not torch.equal(one.moving, other) for other in [*others, Twins().pair.fixed])


@pytest.mark.parametrize("part", EVERY, ids=lambda part: part.name)
def test_together_or_each_alone(part: Augmentation) -> None:
    both = part.model_copy(update={"together": True})
    alone = part.model_copy(update={"probability": 0.5})
    pairs = [changed(both, number=number) for number in range(6)]
    assert all(torch.equal(case.fixed, case.moving) for case in pairs)
    pairs = [changed(alone, number=number) for number in range(6)]
    assert any(not torch.equal(case.fixed, case.moving) for case in pairs)


@pytest.mark.parametrize("part", EVERY, ids=lambda part: part.name)
def test_it_waits_for_its_epoch(part: Augmentation) -> None:
    late = part.model_copy(update={"from_epoch": 50})
    before, after = changed(late, epoch=49), changed(late, epoch=50)
    assert torch.equal(before.fixed, Twins().pair.fixed)
    assert not torch.equal(after.fixed, before.fixed)


@pytest.mark.parametrize("part", EVERY, ids=lambda part: part.name)
def test_structures_stay_on_their_image(part: Augmentation) -> None:
    for number in range(4):
        case = changed(part, number=number)
        for image, stack in zip((case.fixed, case.moving), labels(case), strict=True):
            assert 0 <= stack.min() <= stack.max() <= 1 + 1e-5
            assert SoftDice().bind(image.gt(0.0).float())(stack) < 0.25


@pytest.mark.parametrize("part", EVERY[:3], ids=lambda part: part.name)
def test_without_a_chance_nothing_changes(part: Augmentation) -> None:
    case = changed(part.model_copy(update={"probability": 0.0}))
    assert case.moving is Twins().pair.moving or torch.equal(case.moving, Twins().pair.moving)


def test_the_chance_is_that_of_each_change() -> None:
    turned = [changed(FlipConfig(), number=n).fixed for n in range(100)]
    still = Twins().pair.fixed
    assert 35 <= sum(torch.equal(image, still) for image in turned) <= 65


def test_a_flip_turns_the_named_axes_round() -> None:
    still = Twins().pair
    case = changed(FlipConfig(axes=(0, 2), **ALWAYS))
    assert torch.equal(case.moving, still.moving.flip(2, 4))
    assert torch.equal(labels(case)[1], labels(still)[1].flip(2, 4))


def test_gamma_bends_intensities_within_its_range() -> None:
    still = Twins().pair.fixed
    for number in range(20):
        image = changed(GammaConfig(**ALWAYS), number=number).fixed
        power = (image[still > 0].log() / still[still > 0].log()).nan_to_num()
        assert 0.8 <= power.median() <= 1.2
        assert image[still == 0].eq(0).all()


def test_a_gain_multiplies_both_images_alike_within_its_range() -> None:
    still = Twins().read(0, 0)(CPU).fixed
    part, gains = GainConfig(between=(0.5, 3), together=True, **ALWAYS), []
    for number in range(20):
        case = changed(part, number=number)
        assert torch.equal(case.fixed, case.moving)
        assert 0 <= case.fixed.min() <= case.fixed.max() <= 1
        gains.append(float((case.fixed / still)[(still > 0) & (case.fixed < 1)].median()))
    assert 0.5 <= min(gains) < 0.9
    assert 1.5 < max(gains) <= 3


def centre(stack: Tensor) -> Tensor:
    weights = stack[0, 0] / stack.sum()
    index = torch.stack(torch.meshgrid(*map(torch.arange, weights.shape), indexing="ij"))
    return (index * weights).sum((1, 2, 3))


@pytest.mark.parametrize("shrink", [1, 2])
def test_translations_are_in_voxels_before_shrinking(shrink: int) -> None:
    part = AffineConfig(degrees=0, scale=0, voxels=3, **ALWAYS)
    cases = [changed(part, number=number, shrink=shrink) for number in range(20)]
    moved = torch.stack([centre(labels(case)[0]) for case in cases])
    largest = (moved - centre(labels(Twins().pair)[0])).abs().max()
    assert 2 / shrink < largest <= 3 / shrink + 1e-4


def test_rotations_and_scalings_are_about_the_centre() -> None:
    point = torch.zeros(1, 1, 21, 21, 21)
    point[:, :, 9:12, 9:12, 9:12] = 1
    still = torch.zeros(1, 3, 21, 21, 21)
    matrix = rotation(torch.tensor([0.3, -0.2, 0.4])) @ torch.diag(torch.tensor([1.1, 0.9, 1.0]))
    moved = sampled(point, affine(still, matrix, torch.zeros(3)))
    torch.testing.assert_close(centre(moved), torch.full((3,), 10.0), atol=1e-3, rtol=0)
    assert not torch.allclose(moved, point, atol=0.1)


def test_a_quarter_turn_is_exact_on_a_cube() -> None:
    image = torch.rand(1, 2, 6, 6, 6)
    field = affine(
        torch.zeros(1, 3, 6, 6, 6), rotation(torch.tensor([0, 0, torch.pi / 2])), torch.zeros(3)
    )
    moved = sampled(image, field)
    turned = [image.rot90(turns, (2, 3)) for turns in (1, 3)]
    assert any(torch.allclose(moved, other, atol=1e-5) for other in turned)


def test_an_affine_map_of_a_slice_stays_in_its_plane() -> None:
    turned = rotation(torch.tensor([0.3, -0.2, torch.pi / 2]))
    field = affine(torch.zeros(1, 3, 6, 6, 1), turned, torch.tensor([0.0, 0.0, 2.0]))
    assert field[:, 2].abs().max() == 0
    assert sampled(torch.ones(1, 1, 6, 6, 1), field)[:, :, 1:-1, 1:-1].min() > 0.99


def test_icon_exchanges_the_axes_of_a_slice_within_its_plane() -> None:
    image = torch.rand(1, 1, 6, 6, 1, generator=torch.Generator().manual_seed(0))
    turned = {
        (exchanged, signs): (image.transpose(2, 3) if exchanged else image).flip(signs)
        for exchanged in (False, True)
        for signs in ((), (2,), (3,), (2, 3))
    }
    found = set()
    for seed in range(40):
        own, both = (torch.Generator().manual_seed(seed) for _ in range(2))
        moved, _ = IconConfig(deviation=0.0).apply((image, None), Chance(own, both))
        alike = [key for key, other in turned.items() if torch.allclose(moved, other, atol=1e-5)]
        assert len(alike) == 1
        found |= set(alike)
    assert found == set(turned)


def test_rotations_keep_lengths() -> None:
    matrix = rotation(torch.tensor([0.5, 1.0, -0.7]))
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(3))
    assert torch.det(matrix) == pytest.approx(1)


def test_icon_exchanges_axes_alike_in_both_images() -> None:
    still = Twins().pair.fixed
    reached = {
        (order, signs): still.permute(0, 1, *(axis + 2 for axis in order)).flip(
            [axis + 2 for axis in range(3) if signs[axis]]
        )
        for order in permutations(range(3))
        for signs in product((False, True), repeat=3)
    }
    found = set()
    for number in range(40):
        case = changed(IconConfig(deviation=0.0), number=number)
        assert torch.equal(case.fixed, case.moving)
        found |= {
            key for key, image in reached.items() if torch.allclose(image, case.fixed, atol=1e-5)
        }
    assert len(found) > 20
    noisy = changed(IconConfig())
    assert not torch.equal(noisy.fixed, noisy.moving)


def test_parts_are_done_one_after_the_other(partners: Partners) -> None:
    inner = partners()
    parts = (FlipConfig(axes=(0,), **ALWAYS), FlipConfig(axes=(0,), **ALWAYS))
    source = AugmentedPairs(inner, parts, shrink=1, seed=0)
    assert len(source) == len(inner)
    case, plain = source.read(0, 1)(CPU), inner.read(0, 1)(CPU)
    assert torch.equal(case.fixed, plain.fixed)
    assert case.labels is None


def test_label_maps_of_images_go_along(brains: Path, preprocessor: PairPreprocessor) -> None:
    pair = read_pairs(brains / "PHANTOM_dataset.json", brains)[0]
    scans = [pair.fixed, pair.moving]
    source = RandomPartners(
        scans, replace(preprocessor, labels=True, structures=(2,)), seed=0, both_orders=False
    )
    plain = source.read(0, 0)(CPU)
    flipped = AugmentedPairs(source, [FlipConfig(**ALWAYS)], shrink=1, seed=0)
    case = flipped.read(0, 0)(CPU)
    assert torch.equal(labels(case)[0], labels(plain)[0].flip(4))
