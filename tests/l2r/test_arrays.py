"""Cutting images out of index space, and putting fields back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from l2r.arrays import Box, block_sides, filled_box, inner, plane_axes
from tests.l2r.making import noise

shapes = st.tuples(*[st.integers(1, 6)] * 3)
boxes = st.builds(Box, st.tuples(*[st.integers(-8, 8)] * 3), shapes)
FAR = 16
"""More than any of these boxes reaches beyond any of these volumes."""


def row(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(-1, 1, 1)


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, 3, [1, 2, 3]),
        (1, 1, [2]),
        (-2, 4, [0, 0, 1, 2]),
        (2, 3, [3, 0, 0]),
        (-1, 5, [0, 1, 2, 3, 0]),
        (7, 2, [0, 0]),
        (-5, 2, [0, 0]),
    ],
)
def test_a_row_is_cropped_and_padded_with_zeros(
    start: int, length: int, expected: list[int]
) -> None:
    cut = Box((start, 0, 0), (length, 1, 1)).cut(row(1, 2, 3))
    assert cut.ravel().tolist() == expected
    assert cut.dtype == np.uint8


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, 4, [5, 6, 7, 8]),
        (-1, 6, [6, 7, 8, 9]),
        (1, 2, [5, 5, 6, 6]),
        (9, 3, [5, 5, 5, 5]),
        (-9, 3, [7, 7, 7, 7]),
    ],
)
def test_a_row_of_vectors_is_put_back_and_its_ends_continue(
    start: int, length: int, expected: list[int]
) -> None:
    vectors = np.zeros((length, 1, 1, 3), np.float32)
    vectors[:, 0, 0, 1] = range(5, 5 + length)
    placed = Box((start, 0, 0), (length, 1, 1)).place(vectors, (4, 1, 1))
    assert placed[:, 0, 0, 1].tolist() == expected
    assert not placed[..., [0, 2]].any()


@given(shapes, boxes)
def test_cutting_is_slicing_an_image_in_an_endless_frame_of_zeros(
    shape: tuple[int, int, int], box: Box
) -> None:
    volume = noise(*shape)
    frame = np.pad(volume, FAR)
    piece = tuple(
        slice(FAR + start, FAR + start + length)
        for start, length in zip(box.start, box.shape, strict=True)
    )
    np.testing.assert_array_equal(box.cut(volume), frame[piece])


@given(shapes, boxes)
def test_placing_is_slicing_a_field_that_continues_for_ever(
    shape: tuple[int, int, int], box: Box
) -> None:
    vectors = noise(*box.shape, 3)
    frame = np.pad(vectors, [(FAR, FAR)] * 3 + [(0, 0)], mode="edge")
    piece = tuple(
        slice(FAR - start, FAR - start + size) for start, size in zip(box.start, shape, strict=True)
    )
    np.testing.assert_array_equal(box.place(vectors, shape), frame[piece])


@given(shapes, boxes)
def test_what_is_cut_and_placed_is_unchanged_inside_the_box(
    shape: tuple[int, int, int], box: Box
) -> None:
    vectors = noise(*shape, 3)
    cut = np.stack([box.cut(part) for part in np.moveaxis(vectors, -1, 0)], axis=-1)
    inside = box.cut(np.ones(shape, np.uint8)).astype(bool)
    there = np.argwhere(inside) + box.start
    placed = box.place(cut, shape)
    np.testing.assert_array_equal(placed[tuple(there.T)], vectors[tuple(there.T)])


def test_in_an_identical_frame_nothing_is_copied() -> None:
    vectors = noise(3, 4, 5, 3)
    box = Box((0, 0, 0), (3, 4, 5))
    assert box.place(vectors, (3, 4, 5)) is vectors
    np.testing.assert_array_equal(box.cut(vectors[..., 0]), vectors[..., 0])


def test_a_displacement_means_the_same_inside_the_box_as_outside() -> None:
    box = Box((-3, 2, -1), (14, 5, 11))
    moving, vectors = noise(9, 8, 7), 2 * noise(*box.shape, 3) - 1
    inside = warp(box.cut(moving), vectors)
    outside = warp(moving, box.place(vectors, moving.shape))
    # Padding is zero on one side and absent on the other: compare one voxel off the border.
    np.testing.assert_allclose(inside[4:11, 1:-1, 2:7], outside[1:8, 3:-2, 1:6], rtol=0, atol=1e-6)


def warp(moving: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    places = np.indices(moving.shape) + np.moveaxis(vectors, -1, 0)
    return map_coordinates(moving, places, order=1)


def test_the_third_axis_of_a_slice_is_left_alone() -> None:
    assert plane_axes((4, 5, 6)) == (0, 1, 2)
    assert plane_axes((4, 5, 1)) == (0, 1)
    assert block_sides((4, 5, 6), 2) == (2, 2, 2)
    assert block_sides((4, 5, 1), 2) == (2, 2, 1)
    volume = np.arange(20).reshape(4, 5, 1)
    np.testing.assert_array_equal(volume[inner(volume.shape)], volume[1:-1, 1:-1])
    np.testing.assert_array_equal(volume[inner(volume.shape, by=2)], volume[2:-2, 2:-2])


def test_a_filled_box_holds_the_mask_and_a_margin_within_the_volume() -> None:
    mask = np.zeros((9, 8, 7), bool)
    mask[1, 4, 6] = mask[3, 5, 6] = True
    assert filled_box(mask, 0) == Box((1, 4, 6), (3, 2, 1))
    assert filled_box(mask, 2) == Box((0, 2, 4), (6, 6, 3))
    assert mask[filled_box(mask, 0).slices].sum() == 2


def test_a_view_is_a_cut_without_a_copy_where_the_box_lies_within() -> None:
    volume = np.arange(60).reshape(3, 4, 5)
    within, beyond = Box((1, 0, 2), (2, 4, 3)), Box((-1, 0, 0), (3, 4, 6))
    for box in (within, beyond):
        np.testing.assert_array_equal(box.view(volume), box.cut(volume))
    assert np.shares_memory(within.view(volume), volume)
    assert not np.shares_memory(beyond.view(volume), volume)
