"""Matrices and chains, and what chains of chains come to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2r.transforms.base import (
    AffineTransform,
    SpatialTransform,
    TransformChain,
    as_matrix,
    singles,
)
from tests.l2r.transforms.making import FIXED, MOVING, bumps, inner_points, turn

A, B, FIELD = turn(), turn((20, 5, -8)), bumps(FIXED)
POINTS = inner_points(FIXED)


def test_a_matrix_moves_points_by_hand() -> None:
    matrix = np.array([[2.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, -3], [0, 0, 0, 1]])
    moved = AffineTransform(matrix)(np.array([[1.0, 2, 3], [0, 0, 0]]))
    np.testing.assert_array_equal(moved, [[3, 2, 0], [1, 0, -3]])


def test_a_chain_goes_from_its_first_part_to_its_last() -> None:
    np.testing.assert_allclose(TransformChain([A, B])(POINTS), B(A(POINTS)), atol=1e-9)
    assert np.abs(TransformChain([B, A])(POINTS) - B(A(POINTS))).max() > 0.1


def test_an_empty_chain_leaves_points_where_they_are() -> None:
    np.testing.assert_array_equal(TransformChain([])(POINTS), POINTS)


@settings(max_examples=20)
@given(st.lists(st.tuples(*[st.floats(-60, 60)] * 3), max_size=4))
def test_the_inverse_of_a_chain_of_matrices_leads_back(angles: list[tuple[float, ...]]) -> None:
    chain = TransformChain([turn(degrees) for degrees in angles])
    np.testing.assert_allclose(chain.inverse()(chain(POINTS)), POINTS, atol=1e-8)  # mm


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], []),
        ([A, FIELD], [A, FIELD]),
        ([TransformChain([A, TransformChain([FIELD, B])]), A], [A, FIELD, B, A]),
        ([TransformChain([])], []),
    ],
)
def test_chains_are_taken_apart_in_their_order(
    parts: list[SpatialTransform], expected: list[SpatialTransform]
) -> None:
    assert [*singles(parts)] == expected


def test_matrices_in_chains_are_one_matrix() -> None:
    found = as_matrix([A, TransformChain([B, TransformChain([A])])])
    assert found is not None
    np.testing.assert_allclose(found.matrix, A.matrix @ B.matrix @ A.matrix)


@pytest.mark.parametrize("parts", [[FIELD], [A, TransformChain([FIELD])], [FIELD.inverse()]])
def test_a_field_among_them_makes_no_matrix(parts: list[SpatialTransform]) -> None:
    assert as_matrix(parts) is None


@pytest.mark.parametrize(
    ("transform", "grid"),
    [
        (A, None),
        (TransformChain([]), None),
        (FIELD, FIXED),
        (FIELD.inverse(), FIXED),
        (TransformChain([A, TransformChain([B, FIELD]), bumps(MOVING)]), FIXED),
        (TransformChain([bumps(MOVING).inverse(), FIELD]), MOVING),
    ],
)
def test_the_own_grid_is_that_of_the_first_field(transform: SpatialTransform, grid: object) -> None:
    assert transform.own_grid() is grid
