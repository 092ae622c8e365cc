"""Slices as people look at them, whatever the order of the array's axes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.maps.views import PLANES, AnatomicalView, ViewPlane

RAS = np.diag([1.0, 2.0, 3.0, 1.0])
SHAPE = (4, 5, 6)
WAYS = st.tuples(st.permutations(range(3)), st.tuples(*[st.sampled_from([1.0, -1.0])] * 3))


def world(coordinate: int) -> np.ndarray:
    """A volume in RAS whose values are one of its coordinates."""
    return np.indices(SHAPE)[coordinate].astype(np.float32)


@pytest.mark.parametrize(
    ("plane", "across", "up"), [("sagittal", 1, 2), ("coronal", 0, 2), ("axial", 0, 1)]
)
def test_right_and_front_are_across_and_the_top_is_up(
    plane: ViewPlane, across: int, up: int
) -> None:
    view = AnatomicalView.of(RAS)
    columns = view.slice_of(world(across), plane, 1)
    rows = view.slice_of(world(up), plane, 1)
    assert columns[0].tolist() == list(range(SHAPE[across]))
    assert rows[:, 0].tolist() == list(range(SHAPE[up]))[::-1]


@given(WAYS)
def test_a_stored_orientation_does_not_show(ways: tuple[list[int], tuple[float, ...]]) -> None:
    order, signs = ways
    values = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    stored = values.transpose(order)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, (way, sign) in enumerate(zip(order, signs, strict=True)):
        affine[way, axis] = sign
        stored = np.flip(stored, axis) if sign < 0 else stored
    view, plain = AnatomicalView.of(affine), AnatomicalView.of(np.eye(4))
    for plane in PLANES:
        at = SHAPE[plain.normal(plane)] // 2
        axis = view.normal(plane)
        index = at if signs[axis] > 0 else stored.shape[axis] - 1 - at
        expected = plain.slice_of(values, plane, at)
        np.testing.assert_array_equal(view.slice_of(stored, plane, index), expected)


def test_displacements_are_given_in_the_directions_of_the_body() -> None:
    # The first axis runs backwards, the second to the left, the third up.
    affine = np.array([[0, -2.0, 0, 0], [-1.0, 0, 0, 0], [0, 0, 3.0, 0], [0, 0, 0, 1]])
    view = AnatomicalView.of(affine)
    vectors = np.zeros((*SHAPE, 3), np.float32)
    vectors[...] = (1, 10, 100)
    assert view.anatomical_mm(vectors)[0, 0, 0].tolist() == [-20, -1, 300]
    assert view.in_plane(vectors, "axial", 0)[0, 0].tolist() == [-10, -1]
    assert view.extent_mm(SHAPE, "axial") == (10, 4)


def test_a_header_without_directions_is_taken_as_it_is_stored() -> None:
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    assert AnatomicalView.of(affine).axes == (0, 1, 2)
