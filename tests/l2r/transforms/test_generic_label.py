"""Labels by a vote, counted one by one as the oracle."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from l2r.transforms.generic_label import generic_label

SHAPE = (5, 4, 6)


def votes(labels: np.ndarray, place: np.ndarray) -> dict[int, float]:
    """Sums of the weights of the voxels around, in the plainest way."""
    sums: dict[int, float] = {}
    middle = np.floor(place + 0.5).astype(int)
    for step in product((-1, 0, 1), repeat=3):
        voxel = middle + step
        if (voxel >= 0).all() and (voxel < labels.shape).all():
            ends = norm.cdf(voxel + 0.5 - place) - norm.cdf(voxel - 0.5 - place)
            label = int(labels[tuple(voxel)])
            sums[label] = sums.get(label, 0.0) + float(ends.prod())
    return sums


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_the_label_is_the_one_with_most_votes(seed: int, kinds: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, kinds, SHAPE)
    places = rng.uniform(-0.5, np.array(SHAPE)[:, None] - 0.5, (3, 12))
    found = generic_label(labels)(places)
    sums = [votes(labels, place) for place in places.T]
    chosen = [votes_of[label] for votes_of, label in zip(sums, found.tolist(), strict=True)]
    most = [max(votes_of.values()) for votes_of in sums]
    np.testing.assert_allclose(chosen, most, rtol=1e-12)  # equal but for the order of the sum


def test_one_label_stays_alone() -> None:
    places = np.random.default_rng(0).uniform(-0.5, 2.4, (3, 20))
    assert set(generic_label(np.full((3, 3, 3), 7, np.int16))(places).tolist()) == {7}


def test_a_volume_of_one_voxel_is_its_label() -> None:
    assert generic_label(np.full((1, 1, 1), 4, np.uint8))(np.full((3, 1), 0.3)).tolist() == [4]


def test_voxels_beyond_the_volume_do_not_vote() -> None:
    """In the corner, twice the labels of one voxel would outvote the others."""
    labels = np.full((3, 3, 3), 2, np.int16)
    labels[0] = 1
    corner = np.array([[0.4], [0.0], [0.0]])
    assert votes(labels, corner[:, 0])[1] > votes(labels, corner[:, 0])[2]
    assert generic_label(labels)(corner).tolist() == [1]
    labels[0, 0, 0] = 5
    assert generic_label(labels)(np.zeros((3, 1))).tolist() == [
        max(votes(labels, np.zeros(3)).items(), key=lambda item: item[1])[0]
    ]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.int64, np.float32])
def test_the_type_and_the_shape_of_the_places_are_kept(kind: type) -> None:
    labels = np.arange(60).reshape(3, 4, 5).astype(kind)
    found = generic_label(labels)(np.ones((3, 2, 3, 4)))
    assert found.dtype == kind
    assert found.shape == (2, 3, 4)


def test_ids_beyond_double_precision_keep_every_bit() -> None:
    labels = np.full((3, 3, 3), 2**53 + 1, np.int64)
    labels[0] = 2**62 + 3
    places = np.array([[0.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
    assert generic_label(labels)(places).tolist() == [2**62 + 3, 2**53 + 1]


def test_the_order_of_the_axes_does_not_matter() -> None:
    labels = np.random.default_rng(3).integers(0, 4, SHAPE)
    places = np.random.default_rng(4).uniform(0, np.array(SHAPE)[:, None] - 1, (3, 40))
    turned = generic_label(labels.transpose(2, 0, 1))(places[[2, 0, 1]])
    assert np.array_equal(turned, generic_label(labels)(places))
