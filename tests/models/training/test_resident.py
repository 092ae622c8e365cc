"""Images that stay on the device of a training."""

from dataclasses import replace
from pathlib import Path

import torch

from l2r.dataset import read_pairs
from l2r.grid import GridRule
from l2r.pairs import Pair
from models.training.resident import Resident, has_room
from models.training.sampling import PairPreprocessor, PreparedImage

CPU = torch.device("cpu")


def always(_: torch.device) -> bool:
    return True


def test_nothing_stays_on_a_cpu() -> None:
    kept = Resident[int]()
    kept.keep("name", 1, CPU)
    assert not has_room(CPU)
    assert kept.find("name") is None


def test_a_pair_of_images_that_stayed_is_the_same(
    brains: Path, preprocessor: PairPreprocessor
) -> None:
    staying = replace(preprocessor, labels=True, shrink=2, resident=Resident(always))
    pairs = read_pairs(brains / "PHANTOM_dataset.json", brains)
    first, second = pairs[0], Pair(pairs[0].moving, pairs[0].fixed)
    staying.sample(first)(CPU)
    found = staying.sample(second)(CPU)
    anew = replace(preprocessor, labels=True, shrink=2).sample(second)(CPU)
    assert isinstance(staying.resident.find((second.fixed, True)), PreparedImage)
    assert torch.equal(found.fixed, anew.fixed)
    assert torch.equal(found.moving, anew.moving)
    assert found.labels is not None
    assert anew.labels is not None
    assert all(map(torch.equal, found.labels, anew.labels))


def test_what_stayed_is_not_prepared_again(brains: Path, preprocessor: PairPreprocessor) -> None:
    staying = replace(preprocessor, resident=Resident(always))
    pair = read_pairs(brains / "PHANTOM_dataset.json", brains)[0]
    other = PreparedImage(torch.zeros(1, 1, 16, 16, 16), None)
    for scan in (pair.fixed, pair.moving):
        staying.resident.keep((scan, False), other, CPU)
    assert staying.sample(pair)(CPU).fixed is other.image


def test_images_that_may_be_cropped_around_both_do_not_stay(
    brains: Path, preprocessor: PairPreprocessor
) -> None:
    rule = GridRule(exactly=(16, 16, 16))
    staying = replace(preprocessor, rule=rule, resident=Resident(always))
    pair = read_pairs(brains / "PHANTOM_dataset.json", brains)[0]
    staying.sample(pair)(CPU)
    assert staying.resident.find((pair.fixed, False)) is None
