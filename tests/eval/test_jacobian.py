"""The Jacobian determinant."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.jacobian import central_determinants
from tests.eval import oracles

SHAPE = (9, 8, 7)
INDEX = np.moveaxis(np.indices(SHAPE), 0, -1).astype(np.float64)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.7, (*SHAPE, 3))


def test_a_linear_map_has_the_determinant_of_its_matrix_everywhere() -> None:
    matrix = np.array([[0.1, 0.2, -0.3], [0.4, -0.5, 0.1], [0.0, 0.3, 0.2]])
    found = central_determinants(INDEX @ matrix.T)
    assert found.shape == (7, 6, 5)
    np.testing.assert_allclose(found, np.linalg.det(np.eye(3) + matrix), rtol=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_it_is_the_correlations_determinant(seed: int) -> None:
    found = central_determinants(noise(seed))[1:-1, 1:-1, 1:-1]
    np.testing.assert_allclose(found, oracles.jacobian(noise(seed)), atol=1e-12)


@pytest.mark.parametrize("planes", [1, 2, 100])
def test_the_size_of_the_slabs_does_not_show(planes: int) -> None:
    expected = central_determinants(noise(3))
    np.testing.assert_array_equal(central_determinants(noise(3), planes=planes), expected)


def test_single_precision_is_enough_to_look_at() -> None:
    found = central_determinants(noise(4), precision=np.float32)
    assert found.dtype == np.float32
    # A determinant sums products of three numbers of about 1.
    np.testing.assert_allclose(found, central_determinants(noise(4)), atol=1e-5)


INSIDE = (slice(1, -1),) * 3


@pytest.mark.golden
@pytest.mark.parametrize("kind", ["folded", "smooth"])
def test_voxelmorphs_determinants_are_reproduced(kind: str, golden) -> None:
    vectors = golden("metrics")
    found = central_determinants(np.moveaxis(vectors[f"{kind}.disp"][0], 0, -1))
    # Theirs are computed in single precision.
    np.testing.assert_allclose(found, vectors[f"{kind}.jacdet_vxm"][INSIDE], atol=1e-6)


@pytest.mark.golden
def test_learn2regs_determinants_are_reproduced(golden) -> None:
    vectors = golden("metrics")
    found = central_determinants(np.moveaxis(vectors["folded.disp"][0], 0, -1))
    np.testing.assert_allclose(found[INSIDE], vectors["folded.l2r_jacdet"], atol=1e-12)
