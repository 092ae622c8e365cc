"""Ranking by rules: by hand, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ranksums

from eval.leaderboard.comparison import holm
from eval.leaderboard.pairwise import OrientedValues
from eval.leaderboard.ranking import rank, resamples
from eval.leaderboard.rule_scores import score
from eval.leaderboard.rules import load_rule, rule_names

LUMIR = load_rule("lumir24")
PSMA = load_rule("psmareg26")
CODED = load_rule("l2r_classic_as_coded")
WRITTEN = load_rule("l2r_classic_as_written")
MEAN_RANK = load_rule("mean_rank")


def measured(values: np.ndarray, group: str = "Dice") -> OrientedValues:
    return OrientedValues(group, group, values, np.arange(values.shape[1]))


def teams(*shifts: float, cases: int = 20, seed: int = 0) -> np.ndarray:
    """A team per shift; a shift of 1 is ten times what the cases vary by."""
    rng = np.random.default_rng(seed)
    return np.array(shifts)[:, None] + rng.normal(scale=0.1, size=(len(shifts), cases))


def test_three_teams_in_clear_order_are_spaced_evenly() -> None:
    ranking = rank(LUMIR, [measured(teams(0, 2, 1))])
    np.testing.assert_allclose(ranking.scores, [0.1, 1.0, 0.55])
    assert ranking.ranks.tolist() == [3, 1, 2]


def test_two_teams_that_differ_get_all_and_a_tenth() -> None:
    np.testing.assert_allclose(rank(LUMIR, [measured(teams(1, 0))]).scores, [1.0, 0.1])


def test_two_teams_that_do_not_differ_share() -> None:
    values = np.array([[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0]])
    ranking = rank(LUMIR, [measured(values)])
    np.testing.assert_allclose(ranking.scores, [0.55, 0.55])
    assert ranking.ranks.tolist() == [1.5, 1.5]


@pytest.mark.parametrize("name", rule_names())
def test_identical_teams_share_their_rank_and_every_interval(name: str) -> None:
    rule = load_rule(name)
    values = np.tile(teams(0), (4, 1))
    measures = [measured(values, group.name) for group in rule.groups]
    ranking = rank(rule, measures, weights=resamples(20, 50))
    assert ranking.ranks.tolist() == [2.5] * 4
    assert ranking.intervals is not None
    assert (ranking.intervals == 2.5).all()


@pytest.mark.parametrize("name", rule_names())
def test_one_team_is_first(name: str) -> None:
    rule = load_rule(name)
    measures = [measured(teams(0), group.name) for group in rule.groups]
    ranking = rank(rule, measures, weights=resamples(20, 10))
    assert ranking.ranks.tolist() == [1]
    assert ranking.intervals is not None
    assert ranking.intervals.tolist() == [[1, 1]]


def test_a_team_without_usable_values_is_last() -> None:
    values = teams(0, 0.5, 1)
    values[2] = -np.inf
    assert rank(LUMIR, [measured(values)]).ranks.tolist() == [2, 1, 3]


def test_one_lost_case_of_twenty_does_not_cost_a_significant_lead() -> None:
    values = teams(1, 0)
    values[0, 3] = -np.inf
    assert rank(LUMIR, [measured(values)]).ranks.tolist() == [1, 2]


def test_a_mean_rank_by_hand() -> None:
    """Ranks 1, 2, 3 and 2, 1, 3: means 1.5, 1.5, 3."""
    dice, tre = np.array([[3.0], [2.0], [1.0]]), np.array([[-2.0], [-1.0], [-3.0]])
    ranking = rank(MEAN_RANK, [measured(dice, "Dice"), measured(tre, "TRE")])
    np.testing.assert_allclose(ranking.scores, [1.5, 1.5, 3])
    assert ranking.ranks.tolist() == [1.5, 1.5, 3]


def test_the_coded_rule_is_unpaired() -> None:
    """A small gain in every case counts when paired, and drowns when cases vary."""
    cases = np.linspace(0, 10, 30)
    values = np.array([cases + 0.01, cases])
    assert rank(WRITTEN, [measured(values)]).ranks.tolist() == [1, 2]
    assert rank(CODED, [measured(values)]).ranks.tolist() == [1.5, 1.5]


def test_the_coded_p_values_are_those_of_scipys_ranksums() -> None:
    values = teams(0, 0.05, 0.1)
    (outcome,) = rank(CODED, [measured(values)]).outcomes
    for i, j in ((0, 1), (0, 2), (2, 1)):
        assert outcome.p_values[0, i, j] == pytest.approx(ranksums(values[i], values[j]).pvalue)


def accuracy(values: np.ndarray) -> list[OrientedValues]:
    """The same values as both metrics of accuracy."""
    return [
        OrientedValues(name, "accuracy", values, np.arange(values.shape[1]))
        for name in ("DSC", "HD95")
    ]


def test_who_does_not_beat_the_baseline_of_the_gate_loses_regularity() -> None:
    """Team 0 is the baseline, 1 beats it, 2 does not; in regularity all are far apart."""
    measures = [*accuracy(teams(0, 1, 0)), measured(teams(0, 1, 2), "regularity")]
    ranking = rank(PSMA, measures, gatekeeper=0)
    assert ranking.teams.tolist() == [1, 2]
    # Accuracy 1 and 1/2; regularity 1/2 and 1, which the gate makes 1/2.
    np.testing.assert_allclose(
        ranking.scores, [100 * (0.5**0.2) ** (1 / 0.6), 100 * (0.5**0.6) ** (1 / 0.6)]
    )


def test_without_its_baseline_the_gate_stands_open() -> None:
    measures = [*accuracy(teams(1, 0.99)), measured(teams(0, 1), "regularity")]
    assert rank(PSMA, measures).teams.tolist() == [0, 1]


def test_holm_is_over_all_ordered_pairs() -> None:
    """Five cases allow no p below 1/32; for two teams it is doubled, for three it is times six."""
    cases = np.arange(5.0)
    (two,) = rank(
        PSMA, [OrientedValues("DSC", "accuracy", np.array([cases + 1, cases]), np.arange(5))]
    ).outcomes
    assert two.p_values[0, 0, 1] == pytest.approx(2 / 32)
    three = np.array([cases + 1, cases, cases - 10])
    (more,) = rank(PSMA, [OrientedValues("DSC", "accuracy", three, np.arange(5))]).outcomes
    assert more.p_values[0, 0, 1] == pytest.approx(6 / 32)


def test_groups_that_a_task_lacks_leave_their_weight_to_the_others() -> None:
    """Dice 1 and 0.1 with weight .2, NDV 0.1 and 1 with weight .2, no TRE and no HD95."""
    ranking = rank(LUMIR, [measured(teams(1, 0), "Dice"), measured(teams(0, 1), "NDV")])
    np.testing.assert_allclose(ranking.scores, [0.1**0.5, 0.1**0.5])
    assert ranking.ranks.tolist() == [1.5, 1.5]


def test_intervals_hold_the_rank_and_tell_certain_from_uncertain() -> None:
    ranking = rank(LUMIR, [measured(teams(5, 0, 0.01))], weights=resamples(20, 500))
    assert ranking.intervals is not None
    assert ranking.intervals[0].tolist() == [1, 1]
    low, high = ranking.intervals[1:].T
    assert (low >= 2).all()
    assert (low <= ranking.ranks[1:]).all()
    assert (ranking.ranks[1:] <= high).all()
    assert (low < high).any()


def test_resamples_are_the_same_every_time_and_draw_as_many_cases() -> None:
    weights = resamples(38, 1000)
    np.testing.assert_array_equal(weights, resamples(38, 1000))
    assert (weights.sum(axis=1) == 38).all()
    assert weights.mean() == pytest.approx(1)
    assert len(np.unique(weights, axis=0)) == 1000


def test_cases_of_one_patient_are_drawn_together() -> None:
    """Two entries per unit: a resample counts both or none."""
    values = np.array([[1.0, -1.0, 5.0, 5.0], [0.0, 0.0, 0.0, 0.0]])
    measure = OrientedValues("DSC", "Dice", values, np.array([0, 0, 1, 1]))
    ranking = rank(MEAN_RANK, [measure], weights=np.array([[2.0, 0.0], [0.0, 2.0]]))
    assert ranking.intervals is not None
    assert ranking.intervals[0].tolist() == [1, 1.5]  # equal on the first patient


RULES_OF_TESTS = [LUMIR, CODED, WRITTEN, PSMA, MEAN_RANK]
Grid = st.integers(2, 5).flatmap(
    lambda count: st.lists(
        st.lists(st.integers(-3, 3), min_size=8, max_size=8), min_size=count, max_size=count
    )
)


@given(grid=Grid, seed=st.integers(0, 99), which=st.integers(0, 4))
@settings(max_examples=12, deadline=None)
def test_the_order_of_the_teams_does_not_matter(
    grid: list[list[int]], seed: int, which: int
) -> None:
    rule, values = RULES_OF_TESTS[which], np.array(grid, float)
    order = np.random.default_rng(seed).permutation(len(values))
    groups = [group.name for group in rule.groups[:2]]
    weights = resamples(8, 20)
    plain = rank(
        rule,
        [measured(v, g) for g, v in zip(groups, (values, -values), strict=True)],
        weights=weights,
    )
    mixed = rank(
        rule,
        [measured(v[order], g) for g, v in zip(groups, (values, -values), strict=True)],
        weights=weights,
    )
    np.testing.assert_array_equal(mixed.ranks, plain.ranks[order])
    np.testing.assert_allclose(mixed.scores, plain.scores[order])
    np.testing.assert_array_equal(mixed.intervals, plain.intervals[order])


@given(grid=Grid, gain=st.lists(st.integers(1, 5), min_size=8, max_size=8))
@settings(max_examples=60, deadline=None)
def test_who_improves_in_every_case_never_falls_in_the_mean_rank(
    grid: list[list[int]], gain: list[int]
) -> None:
    values = np.array(grid, float)
    better = values.copy()
    better[0] += gain
    before = rank(MEAN_RANK, [measured(values, "Dice"), measured(values[:, ::2], "TRE")])
    after = rank(MEAN_RANK, [measured(better, "Dice"), measured(better[:, ::2], "TRE")])
    assert after.ranks[0] <= before.ranks[0]


@given(seed=st.integers(0, 10_000), gain=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_who_improves_in_every_case_never_loses_a_win_of_an_uncorrected_test(
    seed: int, gain: float
) -> None:
    """And nobody gains one against it; with Holm's correction this need not hold."""
    values = teams(0, 0.05, 0.1, cases=10, seed=seed)
    better = values.copy()
    better[0] += gain * np.random.default_rng(seed).random(10)
    for rule in (LUMIR, CODED):
        (before,) = rank(rule, [measured(values)]).outcomes
        (after,) = rank(rule, [measured(better)]).outcomes
        assert (after.wins[0, 0] >= before.wins[0, 0]).all()
        assert (after.wins[0, :, 0] <= before.wins[0, :, 0]).all()
        assert score(rule, after.wins)[0, 0] >= score(rule, before.wins)[0, 0]


@pytest.mark.parametrize("name", rule_names())
def test_who_is_far_better_in_all_is_first_by_every_rule(name: str) -> None:
    rule = load_rule(name)
    measures = [measured(teams(0, 0.1, 5, 0.2), group.name) for group in rule.groups]
    ranking = rank(rule, measures, weights=resamples(20, 200))
    assert ranking.ranks[2] == 1
    assert ranking.intervals is not None
    assert ranking.intervals[2].tolist() == [1, 1]


def test_improving_against_one_team_can_cost_a_win_against_another() -> None:
    """Why no monotony is promised with Holm's correction: six tests, one less is rejected.

    `x` beat A and A beat `y`; A improves, mostly against `x`, and no longer beats `y`.
    """
    before, after = holm(np.array([[0.001, 0.0095, 1, 1, 1, 1], [0.2, 0.009, 1, 1, 1, 1]]))
    assert before[1] < PSMA.comparison.alpha < after[1]
