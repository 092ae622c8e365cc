"""The board of a task, from submissions and published tables."""

import dataclasses
import json

import numpy as np
import pytest

from eval.leaderboard.assemble import assemble
from eval.leaderboard.board import Board
from eval.leaderboard.competition import Competition
from eval.leaderboard.database import Database
from eval.leaderboard.published import MetricInfo, PublishedTable, PublishedTeam
from eval.leaderboard.rules import RankingRule, load_rule
from eval.leaderboard.store import NewSubmission, add, load
from eval.metrics_file import MetricScore, MetricsFile
from eval.protocol import protocol_of
from l2r.task import Task
from tests.eval.leaderboard.conftest import CASES, submission, synthetic_scores

LUMIR = load_rule("lumir24")
TABLE = PublishedTable(
    name="old",
    task="toy",
    title="An old table",
    source="a page",
    pairs=6,
    text="Means.",
    columns=(
        MetricInfo(name="DSC", kind="dice", better="higher"),
        MetricInfo(name="Time", kind="seconds", better="lower", unit="s"),
    ),
    rows=(
        PublishedTeam(name="best", values=(0.99, 1.0), score=0.9, rank=1),
        PublishedTeam(name="worst", values=(0.1, float("nan")), deviations=(0.01, float("nan"))),
    ),
)


def competition(
    database: Database, task: Task, rule: RankingRule = LUMIR, *tables: PublishedTable
) -> Competition:
    return Competition(task, protocol_of(task), rule, load(database, task.name), tables)


@pytest.fixture
def board(database: Database, task: Task) -> Board:
    """Two clear submissions, the worse one first, and a published table."""
    add(database, submission("weak", 1))
    add(database, submission("strong", 2, shift=0.1))
    return assemble(competition(database, task, LUMIR, TABLE), bootstraps=100)


def test_submissions_come_first_in_their_order_then_published_lines(board: Board) -> None:
    assert [row.name for row in board.rows] == ["strong", "weak", "best", "worst"]
    assert [row.kind for row in board.rows] == ["submission"] * 2 + ["published"] * 2


def test_submissions_have_rank_score_and_interval(board: Board) -> None:
    strong, weak = board.rows[:2]
    assert (strong.rank, weak.rank) == (1, 2)
    assert strong.score is not None
    assert weak.score is not None
    assert strong.score > weak.score
    assert strong.interval is not None
    assert 1 <= strong.interval[0] <= strong.rank <= strong.interval[1] <= 2


def test_published_lines_have_no_rank_and_no_significance(board: Board) -> None:
    best, worst = board.rows[2:]
    for row in (best, worst):
        assert row.rank is None
        assert row.interval is None
        assert row.score is None
        assert all(row.name not in tests.names for tests in board.pairwise_tests)
    assert (best.published_rank, best.published_score, best.table) == (1, 0.9, "old")
    assert worst.deviations == {"DSC": 0.01, "Time": None}


def test_all_stand_by_the_means_that_they_share(board: Board) -> None:
    """Only Dice is in both: .99, then .8 and .7, then .1."""
    assert {row.name: row.rank_by_means for row in board.rows} == {
        "best": 1,
        "strong": 2,
        "weak": 3,
        "worst": 4,
    }
    assert any("only by their means of DSC." in note for note in board.notes)


def test_means_and_deviations_are_those_over_the_cases(board: Board) -> None:
    dice = [case["DSC"].mean for case in synthetic_scores(1).values()]
    weak = board.rows[1]
    assert weak.means["DSC"] == pytest.approx(np.mean(dice))
    assert weak.deviations["DSC"] == pytest.approx(np.std(dice))


def test_columns_are_the_tasks_then_the_tables_and_weigh_what_the_rule_says(board: Board) -> None:
    weights = {column.name: column.weight for column in board.columns}
    assert list(weights) == ["NDV", "DSC", "HD95", "TRE", "Time"]
    assert weights == pytest.approx({"NDV": 0.2, "DSC": 0.2, "HD95": 0.2, "TRE": 0.4, "Time": 0.0})


def test_values_are_there_case_by_case_and_label_by_label(board: Board) -> None:
    assert board.cases == CASES
    assert board.labels == ("0", "4", "11")
    values = {(v.submission, v.metric): v for v in board.values}
    assert len(values) == 2 * 4
    dice = [case["DSC"] for case in synthetic_scores(1).values()]
    assert values["weak", "DSC"].cases == tuple(score.mean for score in dice)
    expected = np.mean([score.values for score in dice], axis=0)
    np.testing.assert_allclose(np.array(values["weak", "DSC"].labels, float), expected)
    assert values["weak", "NDV"].labels == ()


def test_pairwise_tests_say_who_beats_whom(board: Board) -> None:
    (dice,) = (tests for tests in board.pairwise_tests if tests.metric == "DSC")
    assert dice.names == ("weak", "strong")
    assert dice.wins == ((False, False), (True, False))
    assert dice.p_values[0][0] is None
    assert dice.p_values[1][0] == pytest.approx(2 / 2**6)  # six of six, two-sided


def test_a_board_is_json_without_nan(board: Board) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = json.dumps(board.model_dump(mode="python"))
    assert json.loads(text, parse_constant=refuse)["task"] == "toy"
    assert Board.model_validate_json(text) == board


def test_what_is_no_number_is_none_on_the_board_and_last_in_the_ranking(
    database: Database, task: Task
) -> None:
    for name, seed in (("whole", 1), ("broken", 2)):
        cases = synthetic_scores(seed)
        if name == "broken":
            for case in CASES:
                cases[case]["TRE"] = MetricScore(mean=None)
                cases[case]["HD95"] = MetricScore(
                    mean=float("inf"), detailed=[1.0, float("inf"), None]
                )
        add(database, NewSubmission("toy", name, MetricsFile(cases=cases)))
    board = assemble(competition(database, task), bootstraps=10)
    broken = board.rows[1]
    assert broken.name == "broken"
    assert broken.means["TRE"] is None
    assert broken.means["HD95"] is None
    values = {(v.submission, v.metric): v for v in board.values}
    assert values["broken", "TRE"].cases == (None,) * 6
    assert values["broken", "HD95"].labels == (1.0, None, None)


def test_an_empty_board_shows_the_published_lines(database: Database, task: Task) -> None:
    board = assemble(competition(database, task, LUMIR, TABLE))
    assert [row.rank_by_means for row in board.rows] == [1, 2]
    assert board.pairwise_tests == ()
    assert board.cases == ()


def test_a_board_without_anything_is_empty(database: Database, task: Task) -> None:
    board = assemble(competition(database, task))
    assert (board.rows, board.columns, board.values) == ((), (), ())


def test_one_submission_is_first(database: Database, task: Task) -> None:
    add(database, submission("alone", 1))
    (row,) = assemble(competition(database, task), bootstraps=10).rows
    assert (row.rank, row.interval) == (1, (1, 1))


def test_only_the_metrics_that_were_asked_for_count(database: Database, task: Task) -> None:
    add(database, submission("a", 1))
    add(database, submission("b", 2))
    asked = dataclasses.replace(competition(database, task), only=("NDV",))
    board = assemble(asked, bootstraps=10)
    assert [(column.name, column.weight) for column in board.columns] == [("NDV", 1.0)]
    assert [tests.metric for tests in board.pairwise_tests] == ["NDV"]


def test_a_metric_that_a_submission_lacks_is_noted_and_costs_it_the_comparison(
    database: Database, task: Task
) -> None:
    add(database, submission("whole", 1))
    cases = synthetic_scores(2, shift=0.1)
    for results in cases.values():
        del results["TRE"]
    add(database, NewSubmission("toy", "partial", MetricsFile(cases=cases)))
    board = assemble(competition(database, task), bootstraps=10)
    assert "partial lacks TRE." in board.notes
    (tre,) = (tests for tests in board.pairwise_tests if tests.metric == "TRE")
    assert tre.wins[0][1]


def test_metrics_that_nobody_has_are_noted(database: Database, task: Task) -> None:
    cases = synthetic_scores(2)
    for results in cases.values():
        del results["TRE"]
    add(database, NewSubmission("toy", "a", MetricsFile(cases=cases)))
    board = assemble(competition(database, task), bootstraps=10)
    assert any(
        note.startswith("The rule also weighs TRE, which no submission") for note in board.notes
    )
    assert [column.weight for column in board.columns] == pytest.approx([1 / 3] * 3)


def test_the_hardest_entries_are_a_column_once_the_unregistered_pairs_are_there(
    database: Database, task: Task
) -> None:
    rule = load_rule("l2r_classic_as_coded")
    add(database, submission("a", 1, shift=0.1))
    without = assemble(competition(database, task, rule), bootstraps=10)
    assert any("no submission named 'initial'" in note for note in without.notes)
    add(database, submission("initial", 2))
    board = assemble(competition(database, task, rule), bootstraps=10)
    dice, hardest = (
        next(column for column in board.columns if column.name == name)
        for name in ("DSC", "DSC, hardest 30%")
    )
    assert dice.weight == hardest.weight > 0
    initial = next(row for row in board.rows if row.name == "initial")
    labels = sorted(
        v for case in synthetic_scores(2).values() for v in case["DSC"].values if v is not None
    )
    values = {(v.submission, v.metric): v.cases for v in board.values}
    assert initial.rank is not None
    # 18 entries, 5 of them the hardest; a case's value is the mean of its own.
    found = [v for v in values["initial", "DSC, hardest 30%"] if v is not None]
    assert max(found) <= labels[4]
    assert min(found) >= labels[0]


def test_the_gate_is_noted_when_it_stands_open(database: Database, task: Task) -> None:
    add(database, submission("a", 1))
    board = assemble(competition(database, task, load_rule("psmareg26")), bootstraps=10)
    assert "The gate stands open: there is no submission named 'ConvexAdam'." in board.notes


def test_the_baseline_of_the_gate_is_not_ranked(database: Database, task: Task) -> None:
    add(database, submission("ConvexAdam", 1, shift=0.2))
    add(database, submission("a", 2))
    board = assemble(competition(database, task, load_rule("psmareg26")), bootstraps=10)
    assert [(row.name, row.rank) for row in board.rows] == [("a", 1), ("ConvexAdam", None)]
