"""Boards as the LUMIR task's would look: synthetic submissions, and means as published.

The submissions' names are winds. Their numbers are drawn so that structures differ more than cases,
and cases more than submissions, as in real scores; wins, ranks and intervals follow from them by
the rule that the board names, simplified.
"""

import json
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import ranksums

from eval.leaderboard.board import Board, BoardRow, CaseValues, MetricColumn, PairwiseTests
from l2r.task import load_task

NAMES = (
    "Alizé", "Bora", "Chinook", "Diablo", "Etesian", "Föhn", "Gregale", "Haboob", "Imbat", "Jauk",
    "Khamsin", "Levanter", "Mistral", "Nor'easter", "Ostro", "Pampero", "Quebrado", "Rashabar",
    "Sirocco", "Tramontane", "Williwaw", "Xlokk", "Yamo", "Zephyr", "Auster", "Bise", "Cierzo",
    "Euros", "Favonius", "Halny",
)  # fmt: skip
COLUMNS = (
    MetricColumn(name="TRE_lm", unit="mm", better="lower", weight=0.4),
    MetricColumn(name="DSC", better="higher", weight=0.2),
    MetricColumn(name="HD95", unit="voxel", better="lower", weight=0.2),
    MetricColumn(name="Non-diffeomorphic Volumes", unit="%", better="lower", weight=0.2),
)
SOURCE = "LUMIR24 validation, https://github.com/JHU-MedImage-Reg/LUMIR_L2R"
PUBLISHED = {
    "SITReg-v2": (2.3005, 0.7805, 3.1187, 0.0025),
    "VFA": (2.4949, 0.7726, 3.2127, 0.0788),
    "TransMorph (TVF, released weights)": (2.4225, 0.7594, 3.5074, 0.3509),
    "uniGradICON": (2.5733, 0.7369, 3.6102, 0.0),
    "VoxelMorph": (3.1545, 0.7186, 3.9821, 1.1836),
    "deedsBCV": (2.2230, 0.6977, 3.9540, 0.0001),
    "initial": (4.3543, 0.5657, 4.7876, 0.0),
}
"""TRE, Dice, HD95 and NDV of the organisers' table, some of its rows."""
LABELS = tuple(map(str, load_task("lumir24").evaluation["labels"]))
CASES = tuple(f"{i}_0000<--{i - 1}_0000" for i in (*range(3455, 3484), *range(3485, 3494)))
LANDMARKS = 9
"""The last cases have landmarks, the others structures."""

NASTY = (
    "</script><script>window.broken = 1</script>",
    '<img src=x onerror="window.broken = 1">',
    "\"' onmouseover='window.broken = 1' x=\"",
    "$title ${script} %s {0} &amp; \u2028 -->",
)
"""Names that would break a page that trusted them."""


@dataclass(frozen=True)
class Team:
    """The numbers of one synthetic submission."""

    tre: Float[np.ndarray, " cases"]
    dice: Float[np.ndarray, "cases structures"]
    hd95: Float[np.ndarray, "cases structures"]
    ndv: Float[np.ndarray, " cases"]

    def cases(self) -> list[Float[np.ndarray, " cases"]]:
        """By column; NaN where a case lacks the metric."""
        return [self.tre, self.dice.mean(1), self.hd95.mean(1), self.ndv]

    def structures(self) -> list[Float[np.ndarray, " structures"]]:
        nothing = np.empty(0)
        return [nothing, np.nanmean(self.dice, 0), np.nanmean(self.hd95, 0), nothing]


def lumir_board(teams: int = 21, *, published: bool = True, seed: int = 24) -> Board:
    """Some submissions, with published rows between them or without."""
    rng = np.random.default_rng(seed)
    made = synthetic_teams(rng, teams)
    cases = np.array([team.cases() for team in made]).reshape(teams, len(COLUMNS), len(CASES))
    wins, p_values = compare(cases)
    scores = rule_scores(wins)
    order = np.argsort(-scores, kind="stable")
    ranks = [1 + np.sum(scores > s) + (np.sum(scores == s) - 1) / 2 for s in scores]
    rows = [
        submission_row(NAMES[i], cases[i], float(scores[i]), float(ranks[i]), teams) for i in order
    ]
    names = [NAMES[i] for i in order]
    return Board(
        task="lumir24",
        title="LUMIR (Learn2Reg 2024), synthetic submissions",
        rule="example",
        rule_text=(
            "Weighted geometric mean of significance rank scores: for each metric a submission is "
            "placed by how many others beat it (one-sided rank-sum test, p < 0.05), places are "
            "mapped to 0.1 to 1, and the four metrics weigh 0.4, 0.2, 0.2 and 0.2."
        ),
        rule_source="simplified after https://github.com/JHU-MedImage-Reg/LUMIR_L2R",
        made="2026-02-03T04:05:06+00:00",
        columns=COLUMNS,
        rows=tuple(among(rows, published_rows()) if published else rows),
        cases=CASES,
        labels=LABELS,
        values=tuple(
            CaseValues(
                submission=NAMES[i],
                metric=column.name,
                cases=numbers(made[i].cases()[c]),
                labels=numbers(made[i].structures()[c]),
            )
            for i in order
            for c, column in enumerate(COLUMNS)
        ),
        pairwise_tests=tuple(
            PairwiseTests(
                metric=column.name,
                names=tuple(names),
                p_values=tuple(numbers(row) for row in p_values[c][np.ix_(order, order)]),
                wins=tuple(tuple(map(bool, row)) for row in wins[c][np.ix_(order, order)]),
            )
            for c, column in enumerate(COLUMNS)
        ),
        notes=(
            "Published means are printed as their source has them. Without their cases no test "
            "can compare them, so they have no rank, no interval and no wins.",
            "Nine cases have landmarks instead of structures: TRE goes over those, Dice and HD95 "
            "over the other 29, and non-diffeomorphic volumes over all 38.",
        ),
    )


def nasty_board() -> Board:
    """A board whose every text is one of `NASTY`."""
    board = lumir_board(len(NASTY), published=False)
    new = dict(zip((row.name for row in board.rows), NASTY, strict=True))
    return board.model_copy(
        update={
            "title": NASTY[0],
            "rule_text": NASTY[1],
            "notes": NASTY,
            "cases": tuple(f"{NASTY[0]}{i}" for i in range(len(board.cases))),
            "labels": tuple(f"{NASTY[1]}{i}" for i in range(len(board.labels))),
            "rows": tuple(
                row.model_copy(update={"name": new[row.name], "manifest": NASTY[0]})
                for row in board.rows
            ),
            "values": tuple(
                v.model_copy(update={"submission": new[v.submission]}) for v in board.values
            ),
            "pairwise_tests": tuple(
                d.model_copy(update={"names": tuple(new[name] for name in d.names)})
                for d in board.pairwise_tests
            ),
        }
    )


def synthetic_teams(rng: np.random.Generator, count: int) -> list[Team]:
    n = len(CASES)
    skill = np.linspace(0.024, -0.06, count) + rng.normal(0, 0.006, count)
    structure = np.clip(0.76 + 0.11 * rng.standard_normal(len(LABELS)), 0.35, 0.97)
    case = rng.normal(0, 0.025, n)
    landmarks = rng.normal(0, 0.35, n)
    teams = []
    for s in skill:
        noise = rng.normal(0, 0.006, (n, len(LABELS))) + rng.normal(0, 0.012, len(LABELS))
        dice = np.clip(structure + s + case[:, None] + noise, 0, 1)
        hd95 = np.maximum(1, 3.3 + 9 * (0.76 - dice) * rng.uniform(0.9, 1.1, dice.shape))
        tre = np.maximum(0.8, 2.4 - 8 * s + landmarks + rng.normal(0, 0.12, n))
        ndv = 10 ** rng.uniform(-4.5, 0.1) * np.exp(rng.normal(0, 0.35, n))
        dice[-LANDMARKS:] = hd95[-LANDMARKS:] = np.nan
        tre[:-LANDMARKS] = np.nan
        teams.append(Team(tre, dice, hd95, ndv))
    return teams


def compare(
    cases: Float[np.ndarray, "teams metrics cases"],
) -> tuple[Bool[np.ndarray, "metrics teams teams"], Float[np.ndarray, "metrics teams teams"]]:
    """Wins and p-values of the test whether the first team is better than the second."""
    teams, metrics, _ = cases.shape
    wins = np.zeros((metrics, teams, teams), bool)
    p_values = np.full((metrics, teams, teams), np.nan)
    for metric, i, j in np.ndindex(metrics, teams, teams):
        if i != j:
            sign = 1 if COLUMNS[metric].better == "higher" else -1
            ours, theirs = (sign * cases[k, metric] for k in (i, j))
            ours, theirs = ours[~np.isnan(ours)], theirs[~np.isnan(theirs)]
            p = ranksums(ours, theirs, alternative="greater").pvalue
            p_values[metric, i, j], wins[metric, i, j] = p, p < 0.05
    return wins, p_values


def rule_scores(wins: Bool[np.ndarray, "metrics teams teams"]) -> Float[np.ndarray, " teams"]:
    beaten = wins.sum(1)
    places = np.linspace(1, 0.1, wins.shape[1])
    score = np.ones(wins.shape[1])
    for column, count in zip(COLUMNS, beaten, strict=True):
        by_place = np.sort(count)
        score *= np.array([places[by_place == c].mean() for c in count]) ** column.weight
    return score


def submission_row(
    name: str, cases: Float[np.ndarray, "metrics cases"], score: float, rank: float, teams: int
) -> BoardRow:
    width = 0.06 * teams + 0.5 * (rank % 3)
    means, deviations = np.nanmean(cases, 1), np.nanstd(cases, 1)
    return BoardRow(
        name=name,
        kind="submission",
        rank=rank,
        interval=(max(1.0, float(round(rank - width))), min(teams, float(round(rank + width)))),
        score=score,
        means={c.name: float(m) for c, m in zip(COLUMNS, means, strict=True)},
        deviations={c.name: float(d) for c, d in zip(COLUMNS, deviations, strict=True)},
        added=f"2026-01-{1 + NAMES.index(name):02}T10:11:12+00:00",
        manifest=json.dumps({"task": "lumir24", "device": "cpu", "commit": "1234567"}, indent=2),
    )


def published_rows() -> list[BoardRow]:
    return [
        BoardRow(
            name=name,
            kind="published",
            rank=None,
            means={c.name: m for c, m in zip(COLUMNS, means, strict=True)},
            source=SOURCE,
        )
        for name, means in PUBLISHED.items()
    ]


def among(rows: list[BoardRow], others: list[BoardRow]) -> list[BoardRow]:
    """Published rows before the first submission with a lower Dice; the others' order stays."""
    result = list(rows)
    for other in others:
        dice = other.means["DSC"] or 0
        at = next((i for i, r in enumerate(result) if (r.means["DSC"] or 0) < dice), len(result))
        result.insert(at, other)
    return result


def numbers(array: Float[np.ndarray, " n"]) -> tuple[float | None, ...]:
    return tuple(float(n) if np.isfinite(n) else None for n in array)
