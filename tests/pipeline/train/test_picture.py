"""The picture of a validation pair."""

import numpy as np

from pipeline.train.picture import picture


def test_panels_show_the_pair_and_folds_are_red() -> None:
    random = np.random.default_rng(0)
    fixed, moving = (random.random((20, 24, 18)).astype(np.float32) for _ in range(2))
    still = np.zeros((20, 24, 18, 3), np.float32)
    shown = picture(fixed, moving, still)
    assert shown.shape == (18 + 2 + 18 + 2 + 24 + 2, 5 * (24 + 2), 3)
    first, second, third, _, fifth = (shown[:18, 26 * n : 26 * n + 24] for n in range(5))
    assert np.array_equal(first[..., 0], np.rint(255 * np.rot90(moving[10])).astype(np.uint8))
    assert np.array_equal(second[..., 0], np.rint(255 * np.rot90(fixed[10])).astype(np.uint8))
    assert np.array_equal(third, first)
    assert np.array_equal(fifth, first)
    folding = still.copy()
    folding[10, 12, 9, 0] = -5
    assert (picture(fixed, moving, folding)[..., 0] > 250).sum() > 3
    red = picture(fixed, moving, folding).astype(int)
    assert ((red[..., 0] - red[..., 1]) > 200).sum() >= 3
