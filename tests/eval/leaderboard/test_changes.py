"""Removing and renaming submissions, and the record of it."""

import pytest

from eval.leaderboard.changes import BoardChange, changes, remove, rename
from eval.leaderboard.database import Database
from eval.leaderboard.store import NewSubmission, add, load
from eval.metrics_file import MetricScore, MetricsFile
from l2r.errors import LeaderboardError
from tests.eval.leaderboard.conftest import submission


@pytest.fixture
def filled(database: Database) -> Database:
    for name, seed in (("a", 1), ("b", 2), ("a", 3)):
        add(database, submission(name, seed))
    return database


def names(database: Database) -> list[str]:
    return [entry.name for entry in load(database, "toy", every=True).submissions]


def test_all_submissions_of_a_removed_name_are_gone_with_their_scores(filled: Database) -> None:
    assert remove(filled, BoardChange("toy", "a", "me", "withdrawn")) == 2
    assert names(filled) == ["b"]
    with filled.reading() as connection:
        counts = [
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()  # noqa: S608
            for table in ("submission", "score", "label_score", "task_case")
        ]
    assert counts == [1, 6 * 4, 6 * 2 * 3, 6]


def test_a_removed_submission_can_be_added_again(filled: Database) -> None:
    remove(filled, BoardChange("toy", "b", "me"))
    assert add(filled, submission("b", 2)).new


def test_where_the_last_submission_is_removed_the_next_one_may_have_other_cases(
    filled: Database,
) -> None:
    for name in ("a", "b"):
        remove(filled, BoardChange("toy", name, "me"))
    other = MetricsFile(cases={"another case": {"DSC": MetricScore(mean=0.5)}})
    assert add(filled, NewSubmission("toy", "c", other)).new
    assert load(filled, "toy").cases == ("another case",)


def test_a_renamed_submission_is_the_one_that_would_be_added_under_the_new_name(
    filled: Database,
) -> None:
    assert rename(filled, BoardChange("toy", "a", "me"), "c") == 2
    assert names(filled) == ["c (#1)", "b", "c"]
    for seed in (1, 3):
        assert not add(filled, submission("c", seed)).new
    assert add(filled, submission("a", 1)).new


def test_scores_that_are_undefined_or_infinite_keep_their_hash(database: Database) -> None:
    infinite = MetricScore(mean=float("inf"), detailed=[float("inf"), 1.0])
    undefined = MetricScore(mean=None, detailed=[None, 0.5])
    scores = {"case": {"DSC": undefined}, "next": {"DSC": infinite}}
    add(database, NewSubmission("toy", "a", MetricsFile(cases=scores)))
    rename(database, BoardChange("toy", "a", "me"), "b")
    assert not add(database, NewSubmission("toy", "b", MetricsFile(cases=scores))).new


def test_a_name_that_is_taken_is_refused_and_nothing_changes(filled: Database) -> None:
    with pytest.raises(LeaderboardError, match="'b': task toy has this name already"):
        rename(filled, BoardChange("toy", "a", "me"), "b")
    assert names(filled) == ["a (#1)", "b", "a"]
    assert changes(filled) == []


@pytest.mark.parametrize(("task", "name"), [("toy", "nobody"), ("other", "a")])
def test_a_name_that_is_not_in_the_task_is_refused(filled: Database, task: str, name: str) -> None:
    with pytest.raises(LeaderboardError, match=f"'{name}': task {task} has no submission"):
        remove(filled, BoardChange(task, name, "me"))


def test_who_and_when_is_on_record(filled: Database) -> None:
    rename(filled, BoardChange("toy", "b", "ann", "a typo"), "c")
    remove(filled, BoardChange("toy", "a", "bob"))
    first, second = changes(filled)
    assert (first.action, first.who, first.name, first.new_name) == ("renamed", "ann", "b", "c")
    assert (first.reason, first.submissions, first.task) == ("a typo", 1, "toy")
    assert (second.action, second.who, second.name, second.submissions) == (
        "removed", "bob", "a", 2,
    )  # fmt: skip
    assert first.at <= second.at
