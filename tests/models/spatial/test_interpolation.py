import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.spatial.interpolation import linear_weights


def test_half_way_both_neighbours_count_half() -> None:
    found = linear_weights(torch.tensor([0.0, 1.5, 2.0]), 3)
    assert found.tolist() == [[1, 0, 0], [0, 0.5, 0.5], [0, 0, 1]]


@given(st.lists(st.floats(0, 6, width=32), min_size=1, max_size=9), st.integers(0, 9))
def test_it_interpolates_as_numpy_does(places: list[float], seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=7)
    weights = linear_weights(torch.tensor(places, dtype=torch.float64), 7).numpy()
    np.testing.assert_allclose(
        weights @ values, np.interp(places, np.arange(7), values), atol=1e-12
    )
