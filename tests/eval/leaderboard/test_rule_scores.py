"""Scores of metrics and totals, by hand and on the organisers' own tables."""

import numpy as np

from eval.leaderboard.rule_scores import combine, ranks_of, score
from eval.leaderboard.rules import load_rule

LUMIR = load_rule("lumir24")
PSMA = load_rule("psmareg26")
CODED = load_rule("l2r_classic_as_coded")
WRITTEN = load_rule("l2r_classic_as_written")
NOBODY = np.zeros((1, 3), np.bool_)


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


def test_a_third_team_can_gain_from_a_comparison_of_two_others() -> None:
    """Why none is promised where scores are spaced by rank: B stops beating A, and C gains."""
    wins = np.zeros((2, 3, 3), np.bool_)
    wins[0, 1, 0] = True
    np.testing.assert_allclose(score(LUMIR, wins), [[0.325, 1.0, 0.325], [0.55, 0.55, 0.55]])
