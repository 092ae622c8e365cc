"""The scorer's warp."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eval.warp import warp_linear, warp_nearest
from tests.eval import oracles

SHAPE = (7, 6, 11)
ROW = np.arange(1, 6, dtype=np.uint8).reshape(5, 1, 1)


def constant(shape: tuple[int, int, int], along_x: float) -> np.ndarray:
    vectors = np.zeros((*shape, 3))
    vectors[..., 0] = along_x
    return vectors


@pytest.mark.parametrize(
    ("along_x", "expected"),
    [
        (0.0, [1, 2, 3, 4, 5]),
        (1.0, [2, 3, 4, 5, 0]),
        (0.5, [2, 3, 4, 5, 0]),  # a tie goes up, and half a voxel outside is outside
        (-0.5, [0, 2, 3, 4, 5]),
        (0.49, [1, 2, 3, 4, 0]),
        (-1e-12, [0, 2, 3, 4, 5]),
        (1e300, [0, 0, 0, 0, 0]),
    ],
)
def test_a_row_of_labels_moves_as_scipy_moves_it(along_x: float, expected: list[int]) -> None:
    vectors = constant(ROW.shape, along_x)
    assert warp_nearest(ROW, vectors).ravel().tolist() == expected
    np.testing.assert_array_equal(warp_nearest(ROW, vectors), oracles.warp(ROW, vectors, 0))


def test_a_field_points_from_the_fixed_to_the_moving_grid() -> None:
    assert warp_nearest(ROW, constant(ROW.shape, 2.0))[0, 0, 0] == ROW[2, 0, 0]


@settings(deadline=None)
@given(arrays(np.int16, SHAPE), st.integers(0, 2**32 - 1))
def test_ties_and_borders_equal_scipys(moving: np.ndarray, seed: int) -> None:
    vectors = np.random.default_rng(seed).integers(-6, 7, (*SHAPE, 3)) / 2
    np.testing.assert_array_equal(warp_nearest(moving, vectors), oracles.warp(moving, vectors, 0))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("to", [-np.inf, np.inf], ids=["below", "above"])
@pytest.mark.parametrize("step", [-2.0, -1.5, -0.5, 0.0, 0.5, 1.0, 2.5, 4.0])
def test_a_hair_beside_a_tie_or_a_border_equals_scipys(step: float, to: float, kind: type) -> None:
    vectors = constant(ROW.shape, 0.0).astype(kind)
    vectors[..., 0] = np.nextafter(kind(step), kind(to))
    np.testing.assert_array_equal(warp_nearest(ROW, vectors), oracles.warp(ROW, vectors, 0))


@pytest.mark.parametrize("far", [1e-18, 2e-16, 4e-16, 5e-16, 1e-15, 1e-7])
def test_the_last_voxel_is_left_only_by_what_double_precision_sees(far: float) -> None:
    vectors = constant(ROW.shape, far).astype(np.float32)
    np.testing.assert_array_equal(warp_nearest(ROW, vectors), oracles.warp(ROW, vectors, 0))


@settings(deadline=None, max_examples=50)
@given(
    st.tuples(*3 * [st.integers(1, 5)]),
    st.tuples(*3 * [st.integers(1, 5)]),
    st.integers(0, 2**32 - 1),
)
def test_any_grids_equal_scipys(
    shape: tuple[int, int, int], moving_shape: tuple[int, int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    moving = rng.integers(1, 99, moving_shape)
    vectors = (rng.integers(-9, 10, (*shape, 3)) / 4).astype(np.float32)
    np.testing.assert_array_equal(warp_nearest(moving, vectors), oracles.warp(moving, vectors, 0))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("moving_shape", [SHAPE, (9, 3, 12)], ids=str)
def test_both_warps_equal_scipys(
    kind: type, order: str, moving_shape: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(7)
    vectors = np.array(rng.normal(0, 3, (*SHAPE, 3)), kind, order=order)
    labels = np.array(rng.integers(0, 200, moving_shape), np.uint8, order=order)
    image = np.array(rng.random(moving_shape), np.float32, order=order)
    np.testing.assert_array_equal(warp_nearest(labels, vectors), oracles.warp(labels, vectors, 0))
    linear = oracles.warp(image, vectors, 1).astype(np.float32)
    np.testing.assert_array_equal(warp_linear(image, vectors), linear)


@settings(deadline=None, max_examples=50)
@given(
    st.tuples(*3 * [st.integers(1, 5)]),
    st.tuples(*3 * [st.integers(1, 5)]),
    st.integers(0, 2**32 - 1),
)
def test_interpolation_equals_scipys_to_the_last_bit(
    shape: tuple[int, int, int], moving_shape: tuple[int, int, int], seed: int
) -> None:
    """Also where much of the image is empty, and where places are on its border."""
    rng = np.random.default_rng(seed)
    moving = rng.normal(size=moving_shape) * (rng.random(moving_shape) > 0.6)
    vectors = np.round(rng.normal(0, 2, (*shape, 3)), rng.integers(0, 4)).astype(np.float32)
    expected = oracles.warp(moving, vectors, 1).astype(np.float32)
    np.testing.assert_array_equal(warp_linear(moving, vectors), expected)


def test_the_labels_keep_their_type() -> None:
    assert warp_nearest(ROW.astype(np.int32), constant(ROW.shape, 0.3)).dtype == np.int32


@pytest.mark.parametrize("planes", [1, 3, 100])
def test_the_size_of_the_slabs_does_not_show(planes: int) -> None:
    rng = np.random.default_rng(3)
    moving, vectors = rng.integers(0, 9, SHAPE), rng.normal(0, 2, (*SHAPE, 3))
    expected = warp_nearest(moving, vectors)
    np.testing.assert_array_equal(warp_nearest(moving, vectors, planes=planes), expected)


@pytest.mark.golden
def test_the_published_warps_are_reproduced(golden) -> None:
    vectors = golden("spatial_transformer")
    field = np.moveaxis(vectors["in.flow"][0], 0, -1)
    labels = vectors["in.lab"][0, 0].astype(np.int16)
    np.testing.assert_array_equal(warp_nearest(labels, field), vectors["scipy.order0.lab"])
    np.testing.assert_allclose(
        warp_linear(vectors["in.img"][0, 0], field), vectors["scipy.order1.img"], atol=1e-6
    )
