"""Ranking by rules: by hand, on the organisers' own tables, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ranksums

from eval.leaderboard.comparison import holm
from eval.leaderboard.ranking import Measured, combine, rank, ranks_of, resamples, score
from eval.leaderboard.rules import load_rule, rule_names

LUMIR = load_rule("lumir24")
PSMA = load_rule("psmareg26")
CODED = load_rule("l2r_classic_as_coded")
WRITTEN = load_rule("l2r_classic_as_written")
MEAN_RANK = load_rule("mean_rank")
NOBODY = np.zeros((1, 3), np.bool_)


def measured(values: np.ndarray, group: str = "Dice") -> Measured:
    return Measured(group, group, values, np.arange(values.shape[1]))


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


def test_counting_wins_is_not_counting_losses() -> None:
    """A beats B and C, B beats C and D, but nobody else beats anybody: D has no win, one loss."""
    wins = np.zeros((1, 4, 4), np.bool_)
    wins[0, 0, [1, 2]] = wins[0, 1, [2, 3]] = True
    np.testing.assert_allclose(score(WRITTEN, wins), [[0.85, 0.85, 0.25, 0.25]])
    np.testing.assert_allclose(score(CODED, wins), [[1.0, 0.55, 0.1, 0.55]])


def test_the_organisers_tie_example() -> None:
    """Teams beaten by 0, 2, 4, 3, 4 and 0 others, at the end of their `ranking_utils.py`.

    Positions .1 .28 .46 .64 .82 1: both with 4 share .19, both with 0 share .91.
    """
    losses = [0, 2, 4, 3, 4, 0]
    wins = np.zeros((1, 6, 6), np.bool_)
    for team, count in enumerate(losses):
        wins[0, [other for other in range(6) if other != team][:count], team] = True
    np.testing.assert_allclose(score(CODED, wins), [[0.91, 0.64, 0.19, 0.46, 0.19, 0.91]])


def test_the_coded_rule_is_unpaired() -> None:
    """A small gain in every case counts when paired, and drowns when cases vary."""
    cases = np.linspace(0, 10, 30)
    values = np.array([cases + 0.01, cases])
    assert rank(WRITTEN, [measured(values)]).ranks.tolist() == [1, 2]
    assert rank(CODED, [measured(values)]).ranks.tolist() == [1.5, 1.5]


def test_the_coded_p_values_are_those_of_scipys_ranksums() -> None:
    values = teams(0, 0.05, 0.1)
    (versus,) = rank(CODED, [measured(values)]).versus
    for i, j in ((0, 1), (0, 2), (2, 1)):
        assert versus.p_values[0, i, j] == pytest.approx(ranksums(values[i], values[j]).pvalue)


PSMA_TABLE = """
neeldey      .8125 .875  .9375 .4375 .625  .875  .5625 .7656 .75   .5625 71.39
MIAgent      .8125 1     .75   1     .125  .1875 .375  .8906 .1562 .375  37.34
tinymilky    .875  .25   .9375 .125  .125  .25   .5625 .5469 .1875 .5469 35.64
shishuyue    .625  .3125 .3125 .1875 .375  .4375 .25   .3594 .3594 .25   33.42
koegl        .625  .25   .25   .125  .4375 .375  .3125 .3125 .3125 .3125 31.25
lukasf98     .25   .125  .625  .125  .4375 .625  .5625 .2812 .2812 .2812 28.12
abakei       .75   .6875 .625  .5625 .125  .0625 .375  .6562 .0938 .375  26.94
mbeguin      .5625 .125  .25   .125  .4375 .375  .375  .2656 .2656 .2656 26.56
jbgeb        .3125 .3125 .25   .1875 .25   .25   .5625 .2656 .25   .2656 25.93
adidukre     .375  .25   .625  .1875 .125  .1875 .375  .3594 .1562 .3594 25.75
longlai0000  .3125 .3125 .1875 .1875 .9375 .875  .5    .25   .25   .25   25.0
bailiangj    .3125 .5625 .25   .1875 .125  .0625 .4375 .3281 .0938 .3281 19.88
housheng     1     .3125 .8125 .25   .0625 .125  .0625 .5938 .0938 .0625 18.09
dutchmasters .1875 .25   .5625 .125  .0625 .0625 .125  .2812 .0625 .125  13.1
royxue07     .125  .125  .125  .125  .0625 .0625 .0625 .125  .0625 .0625 8.25
kavehsfv     .0625 .0625 .0625 .0625 .0625 .0625 .0625 .0625 .0625 .0625 6.25
"""
"""Scores of the seven metrics (four of accuracy, two of biomarkers, regularity), the components,
the final score: `ranking_table.csv` of the PSMAReg test phase."""


def test_the_published_scores_of_psmareg_follow_from_the_scores_of_its_metrics() -> None:
    rows = [row.split() for row in PSMA_TABLE.strip().splitlines()]
    table = np.array([[float(cell) for cell in row[1:]] for row in rows])
    groups = {
        "accuracy": table[None, :, :4].mean(axis=2),
        "biomarker": table[None, :, 4:6].mean(axis=2),
        "regularity": table[None, :, 6],
    }
    totals = combine(PSMA, groups, np.zeros((1, 16), np.bool_))
    np.testing.assert_allclose(totals[0], table[:, 10], atol=0.006)
    assert ranks_of(PSMA, totals)[0].tolist() == list(range(1, 17))


def test_the_cap_and_the_gate_by_hand() -> None:
    """K = 3; the third does not pass: (1/3)^.4 (1/3)^.4 (1/3)^.2."""
    groups = {
        "accuracy": np.array([[1.0, 0.5, 1 / 3]]),
        "biomarker": np.array([[0.5, 1.0, 1.0]]),
        "regularity": np.array([[0.5, 1.0, 1.0]]),
    }
    closed = np.array([[False, False, True]])
    totals = combine(PSMA, groups, closed)
    np.testing.assert_allclose(totals, [[100 * 0.5**0.6, 50.0, 100 / 3]])
    opened = combine(PSMA, groups, NOBODY)
    np.testing.assert_allclose(opened, [[100 * 0.5**0.6, 50.0, 100 / 3]])  # the cap does the same


def test_the_gate_closes_what_the_cap_leaves() -> None:
    groups = {"accuracy": np.array([[1.0, 0.9, 0.9]]), "regularity": np.array([[0.9, 0.9, 0.9]])}
    totals = combine(PSMA, groups, np.array([[False, False, True]]))
    np.testing.assert_allclose(totals[0, 1], 100 * 0.9)
    np.testing.assert_allclose(totals[0, 2], 100 * (0.9**0.4 * (1 / 3) ** 0.2) ** (1 / 0.6))


def accuracy(values: np.ndarray) -> list[Measured]:
    """The same values as both metrics of accuracy."""
    return [
        Measured(name, "accuracy", values, np.arange(values.shape[1])) for name in ("DSC", "HD95")
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
        PSMA, [Measured("DSC", "accuracy", np.array([cases + 1, cases]), np.arange(5))]
    ).versus
    assert two.p_values[0, 0, 1] == pytest.approx(2 / 32)
    three = np.array([cases + 1, cases, cases - 10])
    (more,) = rank(PSMA, [Measured("DSC", "accuracy", three, np.arange(5))]).versus
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
    measure = Measured("DSC", "Dice", values, np.array([0, 0, 1, 1]))
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
        (before,) = rank(rule, [measured(values)]).versus
        (after,) = rank(rule, [measured(better)]).versus
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


def test_a_third_team_can_gain_from_a_duel_of_two() -> None:
    """Why none is promised where scores are spaced by rank: B stops beating A, and C gains."""
    wins = np.zeros((2, 3, 3), np.bool_)
    wins[0, 1, 0] = True
    np.testing.assert_allclose(score(LUMIR, wins), [[0.325, 1.0, 0.325], [0.55, 0.55, 0.55]])
