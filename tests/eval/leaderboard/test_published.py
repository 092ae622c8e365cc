"""Published tables, and where rows stand by their means."""

from pathlib import Path

import numpy as np
import pytest

from eval.leaderboard.mean_rank import MeanRank, mean_ranks
from eval.leaderboard.published import MetricInfo, load_table, table_names, tables_of
from eval.leaderboard.rule_scores import combine
from eval.leaderboard.rules import load_rule
from eval.protocol import protocol_of
from l2r.errors import LeaderboardError
from l2r.task import load_task

LUMIR = load_rule("lumir24")


def table_means(name: str) -> tuple[list[MetricInfo], list[str], list[dict[str, float | None]]]:
    table = load_table(name)
    columns = [column.name for column in table.columns]
    means = [dict(zip(columns, row.values, strict=True)) for row in table.rows]
    return list(table.columns), [row.name for row in table.rows], means


@pytest.mark.parametrize("name", table_names())
def test_every_table_is_named_as_its_file_and_says_where_it_comes_from(name: str) -> None:
    table = load_table(name)
    assert table.name == name
    assert table.source
    assert len({row.name for row in table.rows}) == len(table.rows)


@pytest.mark.parametrize("name", ["lumir24_test", "lumir24_validation"])
def test_its_columns_are_metrics_of_the_task(name: str) -> None:
    table = load_table(name)
    metrics = {m.name: m for m in protocol_of(load_task(table.task)).metrics}
    for column in table.columns:
        metric = metrics[column.name]
        assert (column.kind, column.better) == (metric.metric, metric.better)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("lumir24_test", 21),
        ("lumir24_validation", 15),
        ("lumir24_snapshot", 26),
        ("psmareg26_test", 16 + 8),
        ("ixi_test", 7),
        ("ixi_baselines", 3),
        ("ixi_guidance_teachers", 4),
        ("ixi_guidance_weights", 6),
        ("lpba40_baselines", 3),
        ("lpba40_guidance", 4),
        ("lpba40_guidance_teachers", 2),
        ("lumir24_p0", 2),
        ("lumir24_p2", 1),
        ("oasis_baselines", 3),
    ],
)
def test_no_line_is_missing(name: str, rows: int) -> None:
    assert len(load_table(name).rows) == rows


@pytest.mark.parametrize("name", table_names())
def test_every_table_is_of_a_task_that_exists(name: str) -> None:
    table = load_table(name)
    assert load_task(table.task).name == table.task


def test_experiments_of_papers_do_not_stand_beside_submissions_unless_they_are_named() -> None:
    shown = {table.name for table in tables_of("ixi") if not table.experiment}
    assert shown == {"ixi_test"}
    assert all(
        load_table(name).experiment for name in table_names() if load_table(name).pairs is None
    )


@pytest.mark.parametrize("name", table_names())
def test_published_scores_fall_from_rank_to_rank(name: str) -> None:
    rows = [row for row in load_table(name).rows if row.rank is not None]
    scores = [row.score or 0.0 for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert [row.rank for row in rows] == sorted(row.rank or 0 for row in rows)


NO_FOLDS = ("TimH", "SynthMorph", "ANTs SyN", "zero displacement")
"""Their NDV is printed as 0.0000."""


@pytest.mark.parametrize("folded", NO_FOLDS[:3])
def test_the_inferred_rule_gives_the_zero_field_its_published_score(folded: str) -> None:
    """Last in three metrics, first in NDV together with two others: .1^.8 .955^.2 = .157.

    Four have an NDV that is 0 when it is rounded, so for one of them it cannot be 0.
    """
    metrics, names, means = table_means("lumir24_test")
    means[names.index(folded)]["Non-diffeomorphic Volumes"] = 0.00001
    places, compared = mean_ranks(LUMIR, metrics, names, means)
    zero = places[names.index("zero displacement")]
    assert zero.score is not None
    assert zero.score == pytest.approx(0.1**0.8 * 0.955**0.2)
    assert round(zero.score, 3) == 0.157
    assert set(compared) == {"DSC", "HD95", "TRE_lm", "Non-diffeomorphic Volumes"}


def test_from_the_rounded_means_alone_the_zero_field_gets_a_thousandth_less() -> None:
    metrics, names, means = table_means("lumir24_test")
    assert [n for n, m in zip(names, means, strict=True) if not m["Non-diffeomorphic Volumes"]] == [
        *NO_FOLDS
    ]
    zero = mean_ranks(LUMIR, metrics, names, means)[0][-1]
    assert zero.score is not None
    assert zero.score == pytest.approx(0.1**0.8 * 0.9325**0.2)


def test_the_winners_score_needs_the_weights_of_the_rule() -> None:
    """SITReg: best in three metrics, .357 in NDV give .814 with the weights, .773 without."""
    groups = {name: np.ones((1, 1)) for name in ("Dice", "HD95", "TRE")}
    groups["NDV"] = np.full((1, 1), 0.357)
    open_gate = np.zeros((1, 1), np.bool_)
    assert combine(LUMIR, groups, open_gate)[0, 0] == pytest.approx(0.814, abs=5e-4)
    equal = LUMIR.model_copy(
        update={"groups": tuple(g.model_copy(update={"weight": 1.0}) for g in LUMIR.groups)}
    )
    assert combine(equal, groups, open_gate)[0, 0] == pytest.approx(0.773, abs=5e-4)


def test_the_inferred_rule_is_near_the_published_scores() -> None:
    """Near only: which of the means differ significantly nobody outside knows."""
    table = load_table("lumir24_test")
    places, _ = mean_ranks(LUMIR, *table_means("lumir24_test"))
    found = np.array([place.score for place in places if place.score is not None])
    published = np.array([row.score for row in table.rows], dtype=np.float64)
    assert len(found) == len(published)
    assert np.abs(found - published).mean() < 0.035
    assert np.corrcoef(found, published)[0, 1] > 0.97


def test_rows_are_compared_by_what_all_of_them_have() -> None:
    metrics = [
        MetricInfo(name="DSC", kind="dice", better="higher"),
        MetricInfo(name="HD95", kind="hd95", better="lower"),
    ]
    means = [{"DSC": 0.5, "HD95": 1.0}, {"DSC": 0.6, "HD95": None}, {}, {"DSC": 0.6}]
    places, compared = mean_ranks(LUMIR, metrics, list("abcd"), means)
    assert compared == ("DSC",)
    assert [place.rank for place in places] == [3, 1.5, None, 1.5]


def test_rows_that_share_no_metric_are_not_compared() -> None:
    metrics = [
        MetricInfo(name="DSC", kind="dice", better="higher"),
        MetricInfo(name="HD95", kind="hd95", better="lower"),
    ]
    places, compared = mean_ranks(LUMIR, metrics, ["a", "b"], [{"DSC": 1.0}, {"HD95": 1.0}])
    assert places == [MeanRank(), MeanRank()]
    assert compared == ()


def test_the_gate_and_the_cap_hold_among_means_too() -> None:
    """The zero field is best in biomarkers and regularity, and last of all."""
    metrics, names, means = table_means("psmareg26_test")
    places, _ = mean_ranks(load_rule("psmareg26"), metrics, names, means)
    ranked = {n: p.rank for n, p in zip(names, places, strict=True) if p.rank}
    assert "ConvexAdam" not in ranked
    assert ranked["neeldey"] == 1
    assert ranked["zero displacement"] == max(ranked.values())


def test_a_task_without_tables_has_none() -> None:
    assert tables_of("any") == []
    assert [table.name for table in tables_of("lumir24")] == [
        "lumir24_p0",
        "lumir24_p2",
        "lumir24_snapshot",
        "lumir24_test",
        "lumir24_validation",
    ]


def test_an_unknown_table_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LeaderboardError, match="no published table 'x'; known are ixi_baselines, "):
        load_table("x")


def test_a_line_with_too_few_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ntask = "toy"\ntitle = ""\nsource = "me"\npairs = 3\ntext = ""\n'
        'columns = [{ name = "DSC", kind = "dice", better = "higher" }]\n'
        'rows = [{ name = "a", values = [0.1, 0.2] }]\n'
    )
    with pytest.raises(LeaderboardError, match="a has 2 numbers for 1 columns"):
        load_table(str(path))
