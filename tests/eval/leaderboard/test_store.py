"""Adding and loading submissions."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eval.leaderboard.database import Database
from eval.leaderboard.store import AddedSubmission, NewSubmission, add, load
from eval.metrics_file import MetricScore, MetricsFile
from l2r.errors import LeaderboardError
from tests.eval.leaderboard.conftest import CASES, submission, synthetic_scores

ROOT = Path(__file__).parents[3]


def test_what_was_added_is_loaded(database: Database) -> None:
    cases = synthetic_scores(1)
    add(database, NewSubmission("toy", "a", MetricsFile(cases=cases), "a note", '{"regatta": "0"}'))
    loaded = load(database, "toy")
    (entry,) = loaded.submissions
    assert loaded.cases == CASES
    assert (entry.name, entry.note, entry.manifest) == ("a", "a note", '{"regatta": "0"}')
    for metric in ("NDV", "DSC", "HD95", "TRE"):
        expected = [cases[case][metric].mean for case in CASES]
        np.testing.assert_array_equal(entry.tables[metric].means, expected)
    np.testing.assert_array_equal(
        entry.tables["DSC"].labels, [cases[case]["DSC"].values for case in CASES]
    )
    assert entry.tables["NDV"].labels.shape == (6, 0)


def test_nan_infinity_and_what_was_not_scored_are_three_things(database: Database) -> None:
    cases = synthetic_scores(1)
    cases[CASES[0]]["TRE"] = MetricScore(mean=None)
    cases[CASES[1]]["HD95"] = MetricScore(mean=float("inf"), detailed=[1.0, float("inf"), None])
    del cases[CASES[2]]["TRE"]
    add(database, NewSubmission("toy", "a", MetricsFile(cases=cases)))
    tables = load(database, "toy").submissions[0].tables
    assert np.isnan(tables["TRE"].means[[0, 2]]).all()
    assert tables["TRE"].has.tolist() == [True, True, False, True, True, True]
    assert tables["HD95"].means[1] == np.inf
    np.testing.assert_array_equal(tables["HD95"].labels[1], [1.0, np.inf, np.nan])


def test_adding_twice_changes_nothing(database: Database) -> None:
    first = add(database, submission("a", 1))
    assert first == AddedSubmission(1, new=True)
    assert add(database, submission("a", 1)) == AddedSubmission(1, new=False)
    assert len(load(database, "toy", every=True).submissions) == 1


def test_the_same_scores_under_another_name_are_another_submission(database: Database) -> None:
    add(database, submission("a", 1))
    add(database, submission("b", 1))
    assert [entry.name for entry in load(database, "toy").submissions] == ["a", "b"]


def test_the_newest_of_a_name_counts(database: Database) -> None:
    for seed in (1, 2):
        add(database, submission("a", seed))
    (entry,) = load(database, "toy").submissions
    assert (entry.number, entry.name) == (2, "a")
    assert [e.name for e in load(database, "toy", every=True).submissions] == ["a (#1)", "a"]


def test_the_order_of_cases_in_the_file_does_not_matter(database: Database) -> None:
    add(database, submission("a", 1))
    turned = MetricsFile(cases=dict(reversed(list(synthetic_scores(2).items()))))
    add(database, NewSubmission("toy", "b", turned))
    means = load(database, "toy").submissions[1].tables["DSC"].means
    np.testing.assert_array_equal(means, [synthetic_scores(2)[case]["DSC"].mean for case in CASES])


def test_tasks_do_not_mix(database: Database) -> None:
    add(database, submission("a", 1))
    cases = {"x": {"DSC": MetricScore(mean=0.5)}}
    add(database, NewSubmission("other", "a", MetricsFile(cases=cases)))
    assert load(database, "other").cases == ("x",)
    assert load(database, "toy").cases == CASES
    assert load(database, "third").submissions == ()


@pytest.mark.parametrize("change", ["lacks", "adds"])
def test_other_cases_than_the_first_submission_has_are_refused(
    database: Database, change: str
) -> None:
    add(database, submission("a", 1))
    cases = synthetic_scores(2)
    odd = CASES[3]
    if change == "lacks":
        del cases[odd]
    else:
        odd = "0099_0000<--0098_0000"
        cases[odd] = cases[CASES[0]]
    with pytest.raises(LeaderboardError, match=f"{odd}: the submission {change} this case"):
        add(database, NewSubmission("toy", "b", MetricsFile(cases=cases)))
    assert len(load(database, "toy").submissions) == 1


WORKER = """
import sys
from eval.leaderboard.database import Database
from eval.leaderboard.store import add
from tests.eval.leaderboard.conftest import submission

place, worker = sys.argv[1:]
Database(place).upgrade()
for seed in range(5):
    add(Database(place), submission(f"team {worker}", 100 * int(worker) + seed))
    add(Database(place), submission("everyone", seed))
"""


@pytest.mark.slow
def test_several_processes_at_once_lose_nothing_and_store_nothing_twice(tmp_path: Path) -> None:
    """They also make the database at once."""
    place = str(tmp_path / "board.sqlite")
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WORKER, place, str(number)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    errors = [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0, 0], errors
    entries = load(Database(place), "toy", every=True).submissions
    assert len(entries) == 4 * 5 + 5
    for entry in entries:
        assert set(entry.tables) == {"NDV", "DSC", "HD95", "TRE"}
        assert all(table.has.all() for table in entry.tables.values())
        assert not np.isnan(entry.tables["DSC"].labels).any()
