"""A whole board in one file, and back."""

import json
from pathlib import Path

import numpy as np
import pytest

from eval.leaderboard.archive import restore_archive, write_archive
from eval.leaderboard.changes import BoardChange, changes, remove
from eval.leaderboard.database import Database
from eval.leaderboard.store import NewSubmission, add, load
from eval.metrics_file import MetricScore, MetricsFile
from l2r.errors import LeaderboardError
from tests.eval.leaderboard.conftest import CASES, submission, synthetic_scores


@pytest.fixture
def other(tmp_path: Path) -> Database:
    made = Database(str(tmp_path / "other.sqlite"))
    made.upgrade()
    return made


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Path:
    scores = synthetic_scores(1)
    scores[CASES[0]]["TRE"] = MetricScore(mean=None)
    scores[CASES[1]]["HD95"] = MetricScore(mean=float("inf"), detailed=[1.0, float("inf"), None])
    add(database, NewSubmission("toy", "a", MetricsFile(cases=scores), "a note", '{"x": 0}'))
    for name, seed in (("b", 2), ("c", 3), ("a", 4)):
        add(database, submission(name, seed))
    cases = MetricsFile(cases={"x": {"DSC": MetricScore(mean=0.5)}})
    add(database, NewSubmission("another", "a", cases))
    remove(database, BoardChange("toy", "c", "me", "withdrawn"))
    path = tmp_path / "board.json"
    assert write_archive(database, path) == 4
    return path


def test_a_restored_board_is_the_board(archive: Path, database: Database, other: Database) -> None:
    assert restore_archive(other, archive) == (4, 4)
    for task in ("toy", "another"):
        before, after = (load(place, task, every=True) for place in (database, other))
        assert after.cases == before.cases
        for old, new in zip(before.submissions, after.submissions, strict=True):
            assert (new.added, new.note, new.manifest) == (old.added, old.note, old.manifest)
            assert new.tables.keys() == old.tables.keys()
            for metric, table in old.tables.items():
                np.testing.assert_array_equal(new.tables[metric].means, table.means)
                np.testing.assert_array_equal(new.tables[metric].labels, table.labels)
    (change,) = changes(other)
    assert (change.who, change.name, change.reason) == ("me", "c", "withdrawn")


def test_restoring_twice_changes_nothing(archive: Path, other: Database, tmp_path: Path) -> None:
    restore_archive(other, archive)
    assert restore_archive(other, archive) == (0, 4)
    write_archive(other, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == archive.read_bytes()


def test_a_board_keeps_what_the_archive_lacks(archive: Path, other: Database) -> None:
    add(other, submission("mine", 9))
    assert restore_archive(other, archive) == (4, 4)
    assert "mine" in [entry.name for entry in load(other, "toy").submissions]


def test_an_archive_that_fails_halfway_leaves_nothing(archive: Path, other: Database) -> None:
    content = json.loads(archive.read_text())
    content["submissions"][1]["cases"]["one more"] = {"DSC": {"mean": 0.5}}
    archive.write_text(json.dumps(content))
    with pytest.raises(LeaderboardError, match="one more: the submission adds this case"):
        restore_archive(other, archive)
    assert load(other, "toy").submissions == ()


@pytest.mark.parametrize("text", ["{}", "[1]", '{"format": "regatta leaderboard 2"}', "no JSON"])
def test_another_file_is_refused_in_one_line(other: Database, tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(LeaderboardError, match=r"other\.json: ") as raised:
        restore_archive(other, path)
    assert "\n" not in str(raised.value)
