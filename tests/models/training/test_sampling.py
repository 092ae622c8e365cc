"""Pairs of images."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from l2r.dataset import read_pairs
from l2r.errors import ImageError
from l2r.formats.volumes import read_image, read_labels, write_volume
from l2r.grid import GridRule
from l2r.pairs import Scan
from l2r.task import load_task
from models.training.dataset import collate, derive_seed
from models.training.sampling import ListedPairs, PairPreprocessor, RandomPartners, ShuffledPairs

CPU = torch.device("cpu")
Partners = Callable[..., RandomPartners]


def test_every_image_is_moved_once_per_epoch_onto_another_one(partners: Partners) -> None:
    source = partners()
    for epoch in range(3):
        pairs = [source.pair(epoch, number) for number in range(len(source))]
        assert len({pair.moving.stem for pair in pairs}) == len(pairs) == 6
        assert all(pair.moving != pair.fixed for pair in pairs)


def test_epochs_differ_and_the_same_one_comes_again(partners: Partners) -> None:
    generator = [[partners().pair(epoch, n).name for n in range(6)] for epoch in (0, 1, 0)]
    assert generator[0] != generator[1]
    assert generator[0] == generator[2]


def test_every_partner_is_drawn_at_some_time(partners: Partners) -> None:
    names = {partners(3).pair(epoch, n).name for epoch in range(40) for n in range(3)}
    assert len(names) == 6


def test_both_orders_follow_each_other(partners: Partners) -> None:
    source = partners(both_orders=True)
    assert len(source) == 12
    for number in range(0, 12, 2):
        one, other = source.pair(5, number), source.pair(5, number + 1)
        assert (one.fixed, one.moving) == (other.moving, other.fixed)


def test_the_pairs_of_a_list_come_once_per_epoch_in_another_order(
    brains: Path, preprocessor: PairPreprocessor
) -> None:
    listed = read_pairs(brains / "PHANTOM_dataset.json", brains)
    source = ShuffledPairs(listed, preprocessor, seed=1, both_orders=False)
    epochs = [[source.pair(epoch, n) for n in range(len(source))] for epoch in range(3)]
    assert all(
        sorted(e, key=lambda p: p.name) == sorted(listed, key=lambda p: p.name) for e in epochs
    )
    assert epochs[0] != epochs[1]
    again = ShuffledPairs(listed, preprocessor, seed=1, both_orders=False)
    assert [again.pair(1, n) for n in range(len(again))] == epochs[1]


def test_the_pairs_of_a_list_may_come_in_both_orders(
    brains: Path, preprocessor: PairPreprocessor
) -> None:
    listed = read_pairs(brains / "PHANTOM_dataset.json", brains)
    source = ShuffledPairs(listed, preprocessor, seed=1, both_orders=True)
    assert len(source) == 2 * len(listed)
    one, other = source.pair(0, 0), source.pair(0, 1)
    assert (one.fixed, one.moving) == (other.moving, other.fixed)


def test_images_are_normalised_and_padded_as_in_a_run(
    brains: Path, preprocessor: PairPreprocessor
) -> None:
    (pair, *_) = read_pairs(brains / "PHANTOM_dataset.json", brains)
    wide = replace(preprocessor, rule=GridRule(multiple=24))
    source = ListedPairs([pair], wide)
    case = source.read(0, 0)(CPU)
    assert case.fixed.shape == (1, 1, 24, 24, 24)
    expected = read_image(pair.moving.path).array / 255
    np.testing.assert_allclose(case.moving[0, 0, 4:20, 4:20, 4:20], expected, rtol=1e-6)
    assert float(case.moving.sum()) == pytest.approx(float(expected.sum()), rel=1e-5)


def test_label_maps_become_channels(brains: Path, preprocessor: PairPreprocessor) -> None:
    (pair, *_) = read_pairs(brains / "PHANTOM_dataset.json", brains)
    source = ListedPairs([pair], replace(preprocessor, labels=True, structures=(43, 2, 999)))
    case = source.read(0, 0)(CPU)
    assert case.labels is not None
    labels = read_labels(pair.fixed.labels)
    for channel, label in enumerate((43, 2, 999)):
        assert np.array_equal(case.labels[0][0, channel], labels == label)
    shared = ListedPairs([pair], replace(preprocessor, labels=True))
    found = shared.read(0, 0)(CPU).labels
    assert found is not None
    assert found[0].shape[1] == len(np.unique(labels)) - 1


def test_a_batch_of_several(partners: Partners) -> None:
    source = partners()
    cases = [source.read(0, number)(CPU) for number in range(3)]
    batch = collate(cases)
    assert torch.equal(batch.fixed[2:], cases[2].fixed)
    assert torch.equal(batch.moving[:1], cases[0].moving)
    assert batch.labels is None


def test_an_image_of_another_shape_is_named(
    scans: list[Scan], preprocessor: PairPreprocessor
) -> None:
    lumir = replace(preprocessor, task=load_task("lumir24"))
    source = RandomPartners(scans, lumir, seed=0, both_orders=False)
    with pytest.raises(ImageError, match=r"shape \(16, 16, 16\), but task 'lumir24' asks for"):
        source.read(0, 0)


def test_labels_of_another_shape_than_their_image_are_named(
    brains: Path, preprocessor: PairPreprocessor, tmp_path: Path
) -> None:
    (pair, *_) = read_pairs(brains / "PHANTOM_dataset.json", brains)
    for folder in ("imagesVal", "labelsVal"):
        (tmp_path / folder).mkdir()
    moved = read_pairs(brains / "PHANTOM_dataset.json", tmp_path)[0]
    for scan, old in ((moved.fixed, pair.fixed), (moved.moving, pair.moving)):
        scan.path.write_bytes(old.path.read_bytes())
        write_volume(scan.labels, np.ones((4, 4, 4), np.uint8))
    with pytest.raises(ImageError, match=r"shape \(4, 4, 4\), but its image has \(16, 16, 16\)"):
        ListedPairs([moved], replace(preprocessor, labels=True)).read(0, 0)


def test_seeds_differ_where_only_zeros_are_added() -> None:
    assert len({derive_seed(*numbers) for numbers in ((3,), (3, 0), (3, 0, 0), (0, 3))}) == 4
