"""Tests of one team against another; scipy is the oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ranksums, wilcoxon

from eval.leaderboard.comparison import (
    TestKind,
    dominance,
    exact_superiority,
    holm,
    sum_distribution,
    superiority,
    two_sided,
)

ONCE = np.ones((1, 9))


def exact(values: np.ndarray) -> np.ndarray:
    """The exact test; NaN for pairs of teams that have too many entries for it."""
    return exact_superiority(values, np.full((len(values), len(values)), np.nan))


def draw(rng: np.random.Generator, units: int, resamples: int) -> np.ndarray:
    return rng.multinomial(units, np.full(units, 1 / units), size=resamples).astype(float)


def entries(seed: int, *, per_unit: int, coarse: bool) -> tuple[np.ndarray, np.ndarray]:
    """Values of three teams, with many ties where they are coarse."""
    rng = np.random.default_rng(seed)
    units = np.repeat(np.arange(9), per_unit)
    values = rng.normal(size=(3, len(units))) + np.array([[0.0], [0.3], [1.0]])
    return (np.round(values) if coarse else values), units


def repeated(values: np.ndarray, units: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The resample itself instead of its weights."""
    return np.repeat(values, weights[units].astype(int), axis=-1)


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("per_unit", [1, 4])
def test_the_signed_rank_of_resamples_is_scipys(per_unit: int, coarse: bool) -> None:
    values, units = entries(3, per_unit=per_unit, coarse=coarse)
    weights = draw(np.random.default_rng(1), 9, 6)
    p = superiority("signed_rank", values, units, weights)
    for r, i, j in np.ndindex(6, 3, 3):
        if i != j:
            d = repeated(values[i] - values[j], units, weights[r])
            expected = wilcoxon(d[d != 0], alternative="greater", method="asymptotic").pvalue
            assert p[r, i, j] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("per_unit", [1, 4])
def test_the_rank_sum_of_resamples_is_scipys(per_unit: int, coarse: bool) -> None:
    values, units = entries(4, per_unit=per_unit, coarse=coarse)
    weights = draw(np.random.default_rng(2), 9, 6)
    p = superiority("rank_sum", values, units, weights)
    for r, i, j in np.ndindex(6, 3, 3):
        if i != j:
            a, b = (repeated(values[k], units, weights[r]) for k in (i, j))
            assert p[r, i, j] == pytest.approx(ranksums(a, b, "greater").pvalue, abs=1e-12)
            both = ranksums(a, b).pvalue
            assert two_sided(p)[r, i, j] == pytest.approx(both, abs=1e-12)


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("count", [1, 2, 8, 20, 50, 51])
def test_the_signed_rank_is_scipys_choice_of_exact_or_approximate(count: int, coarse: bool) -> None:
    rng = np.random.default_rng(count)
    values = rng.normal(size=(3, count)) + np.array([[0.0], [0.3], [1.0]])
    values = np.round(2 * values) / 2 if coarse else values
    approximate = superiority("signed_rank", values, np.arange(count), np.ones((1, count)))[0]
    p = exact_superiority(values, approximate)
    for i, j in ((0, 1), (1, 0), (0, 2), (2, 1)):
        d = values[i] - values[j]
        expected = wilcoxon(d[d != 0], alternative="greater").pvalue
        assert p[i, j] == pytest.approx(expected, abs=1e-12)  # rounding of sums of 2^count terms


def test_the_signed_rank_is_exact_up_to_50_entries_and_13_with_ties() -> None:
    for count, tied, expected in ((50, 0, True), (51, 0, False), (13, 1, True), (14, 1, False)):
        ahead = np.arange(1.0, count + 1)
        ahead[:tied] = ahead[-1]
        p = exact(np.array([ahead, np.zeros(count)]))
        assert np.isfinite(p[0, 1]) == expected


def test_the_distribution_of_rank_sums_counts_every_choice_of_signs() -> None:
    """Tied ranks 1.5 and 1.5 and rank 3, doubled: eight choices."""
    sums = [a * 3 + b * 3 + c * 6 for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    expected = np.bincount(sums) / 8
    np.testing.assert_array_equal(sum_distribution(np.array([3, 3, 6])), expected)


def test_the_exact_signed_rank_of_three_improvements_is_an_eighth() -> None:
    """All of 2^3 signs are as likely, and only one is as good as three plusses."""
    p = exact(np.array([[2.0, 3.5, 5.0], [1.0, 2.0, 3.0]]))
    assert p[0, 1] == pytest.approx(1 / 8)
    assert p[1, 0] == pytest.approx(1)


def test_two_sided_p_values_are_scipys() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(2, 12))
    p = two_sided(exact(values)[None])
    assert p[0, 0, 1] == pytest.approx(wilcoxon(values[0] - values[1]).pvalue)


@pytest.mark.parametrize("test", ["signed_rank", "rank_sum", "means"])
def test_equal_teams_do_not_beat_each_other(test: TestKind) -> None:
    values = np.tile(np.arange(9.0), (3, 1))
    p = superiority(test, values, np.arange(9), ONCE)
    assert (p >= 0.5).all()
    assert (exact(values) == 1).all()


@pytest.mark.parametrize("test", ["signed_rank", "rank_sum", "means"])
def test_no_usable_value_loses_against_any(test: TestKind) -> None:
    values = np.array([np.full(9, -np.inf), np.arange(9.0) - 1e9])
    p = superiority(test, values, np.arange(9), ONCE)
    assert p[0, 1, 0] < 0.01 < p[0, 0, 1]
    assert exact(values)[1, 0] == pytest.approx(2.0**-9)


def test_two_teams_without_usable_values_are_equal() -> None:
    values = np.full((2, 9), -np.inf)
    assert (exact(values) == 1).all()
    assert (superiority("signed_rank", values, np.arange(9), ONCE) == 0.5).sum() == 2


def test_a_case_that_was_not_drawn_does_not_count() -> None:
    values = np.array([[1.0, 1.0, -np.inf], [0.0, 0.0, 0.0]])
    weights = np.array([[2.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    p = superiority("means", values, np.arange(3), weights)
    assert p[:, 0, 1].tolist() == [0.0, 1.0]
    assert p[:, 1, 0].tolist() == [1.0, 0.0]


def test_a_resample_without_any_entry_decides_nothing() -> None:
    """A metric that few cases have can be missed by a draw."""
    values, weights = np.array([[1.0], [0.0]]), np.array([[0.0, 2.0]])
    for test in ("signed_rank", "rank_sum"):
        p = superiority(test, values, np.array([0]), weights)
        assert p[0, 0, 1] == p[0, 1, 0] == 0.5


def test_dominance_by_hand() -> None:
    a, b = np.array([1.0, 3.0, 2.0]), np.array([2.0, 0.0, 5.0])
    units = np.array([0, 0, 1])
    # Unit 0 of a, {1, 3}, against {2, 0}: 1 > 0, 3 > 2, 3 > 0; against {5}: none.
    # Unit 1 of a, {2}, against {2, 0}: one equal, one greater.
    assert dominance(a, units, b, units, 2).tolist() == [[3.0, 0.0], [1.5, 0.0]]


def test_holm_by_hand() -> None:
    """Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and never falling."""
    adjusted = holm(np.array([[0.01, 0.04, 0.03, 0.005]]))
    np.testing.assert_allclose(adjusted, [[0.03, 0.06, 0.06, 0.02]])


def test_holm_never_exceeds_one() -> None:
    assert holm(np.array([[0.5, 0.9]])).tolist() == [[1.0, 1.0]]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_correction_and_bonferroni(p: list[float]) -> None:
    raw = np.array([p])
    adjusted = holm(raw)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(1, raw * len(p)) + 1e-12).all()
