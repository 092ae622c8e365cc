"""Label maps made ready for counting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eval.structures import (
    LabelMaps,
    Structures,
    find_structures,
    index_map,
    joint_sizes,
    sizes,
)
from eval.warp import warp_nearest

SHAPE = (5, 4, 3)
label_maps = arrays(np.int16, SHAPE, elements=st.integers(-2, 6))
id_lists = st.lists(st.integers(-3, 9), unique=True).map(tuple)
any_label = st.sampled_from((-(2**63), -(10**12), -1, 0, 1, 2**31, 10**12, 2**63 - 1))
wide_maps = arrays(np.int64, SHAPE, elements=any_label)
wide_lists = st.lists(any_label, unique=True).map(tuple)
index_maps = arrays(np.uint8, SHAPE, elements=st.integers(0, 3))


def moved(fixed: np.ndarray, moving: np.ndarray, vectors: np.ndarray, ids) -> Structures:
    return find_structures(LabelMaps(fixed, moving, warp_nearest(moving, vectors)), ids)


@settings(deadline=None)
@given(label_maps, id_lists)
def test_an_index_is_the_labels_place_in_the_list(labels: np.ndarray, ids: tuple[int, ...]) -> None:
    indexed = index_map(labels, ids)
    for place, label in enumerate(ids, start=1):
        np.testing.assert_array_equal(indexed == place, labels == label)
    np.testing.assert_array_equal(indexed == 0, ~np.isin(labels, ids))


@settings(deadline=None)
@given(wide_maps, wide_lists)
def test_an_index_is_the_place_in_the_list_however_large_the_labels_are(
    labels: np.ndarray, ids: tuple[int, ...]
) -> None:
    indexed = index_map(labels, ids)
    for place, label in enumerate(ids, start=1):
        np.testing.assert_array_equal(indexed == place, labels == label)
    np.testing.assert_array_equal(indexed == 0, ~np.isin(labels, np.array(ids, np.int64)))


@settings(deadline=None)
@given(label_maps, id_lists)
def test_searching_finds_what_the_table_finds(labels: np.ndarray, ids: tuple[int, ...]) -> None:
    searched = index_map(labels, ids, widest_table=0)
    np.testing.assert_array_equal(searched, index_map(labels, ids))
    assert searched.dtype == index_map(labels, ids).dtype


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        (np.uint32, 614_454_277),
        (np.uint32, 2**32 - 1),
        (np.int32, -(2**31)),
        (np.int64, 10**12),
        (np.int64, -(10**12)),
        (np.uint64, 2**63 + 5),
        (np.uint64, 2**64 - 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_large_labels_of_any_type_are_told_apart(kind: type, label: int, order: str) -> None:
    near = label - 1 if label > 0 else label + 1
    labels = np.array([[[0, 1], [label, near]]], kind, order=order)
    assert index_map(labels, (label, 0)).tolist() == [[[2, 0], [1, 0]]]
    assert index_map(labels, (0, 1)).tolist() == [[[1, 2], [0, 0]]]


@pytest.mark.parametrize("count", [255, 256])
def test_as_many_structures_fit_as_there_are(count: int) -> None:
    labels = np.arange(count, dtype=np.int64).reshape(1, 1, count)
    indexed = index_map(labels, tuple(range(count)))
    assert indexed.ravel().tolist() == list(range(1, count + 1))


def test_a_byte_is_enough_for_255_structures() -> None:
    assert index_map(np.zeros((1, 1, 1), np.int64), tuple(range(255))).dtype == np.uint8


def test_unsigned_labels_are_not_confused_by_ids_that_they_cannot_hold() -> None:
    labels = np.array([[[0, 255, 4]]], np.uint8)
    assert index_map(labels, (-1, 4, 300)).ravel().tolist() == [0, 0, 2]


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.uint64, np.int64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_type_and_the_layout_of_a_map_do_not_matter(kind: type, order: str) -> None:
    labels = np.array(np.arange(60).reshape(SHAPE), kind, order=order)
    indexed = index_map(labels, (0, 59, 7))
    assert [np.argwhere(indexed == place).tolist() for place in (1, 2, 3)] == [
        [[0, 0, 0]],
        [[4, 3, 2]],
        [[0, 2, 1]],
    ]
    assert indexed.flags[f"{order}_CONTIGUOUS"]


@settings(deadline=None)
@given(index_maps, index_maps)
def test_joint_sizes_count_every_pair_of_indices(a: np.ndarray, b: np.ndarray) -> None:
    joint = joint_sizes(a, np.asfortranarray(b), 3)
    for row, column in np.ndindex(4, 4):
        assert joint[row, column] == ((a == row) & (b == column)).sum()
    np.testing.assert_array_equal(joint.sum(axis=1)[1:], sizes(a, 3))


def test_joint_sizes_of_many_structures_fit() -> None:
    a = np.full((1, 1, 2), 300, np.uint16)
    assert joint_sizes(a, a, 300)[300, 300] == 2


def test_only_structures_of_both_maps_are_defined() -> None:
    fixed, moving = np.zeros((2, *SHAPE), np.uint8)
    fixed[0, 0, 0], fixed[1, 0, 0] = 1, 2
    moving[0, 0, 0], moving[1, 0, 0] = 1, 3
    found = moved(fixed, moving, np.zeros((*SHAPE, 3)), (1, 2, 3, 4))
    assert found.defined.tolist() == [True, False, False, False]


def test_a_structure_that_vanishes_in_warping_is_still_defined() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[0, 0, 0] = 1
    found = moved(labels, labels, np.full((*SHAPE, 3), 9.0), (1,))
    assert found.defined.tolist() == [True]
    assert sizes(found.warped, 1).tolist() == [0]
    assert sizes(found.unregistered, 1).tolist() == [1]


def test_without_a_list_all_labels_of_the_fixed_map_but_the_background_count() -> None:
    fixed = np.array([[[0, 7, 3, 3]]], np.uint8)
    found = moved(fixed, fixed + np.uint8(1), np.zeros((1, 1, 4, 3)), None)
    assert found.labels == (3, 7)


def test_an_empty_fixed_map_has_no_structures() -> None:
    empty = np.zeros(SHAPE, np.uint8)
    found = moved(empty, empty, np.zeros((*SHAPE, 3)), None)
    assert found.labels == ()
    assert found.defined.size == 0


def test_a_moving_map_of_another_shape_is_cut_where_nothing_moves() -> None:
    fixed, moving = np.ones((3, 3, 3), np.uint8), np.ones((2, 5, 3), np.uint8)
    found = moved(fixed, moving, np.zeros((3, 3, 3, 3)), (1,))
    np.testing.assert_array_equal(found.unregistered, found.warped)
    assert sizes(found.warped, 1).tolist() == [2 * 3 * 3]
