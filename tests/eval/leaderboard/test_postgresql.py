"""The same on PostgreSQL; REGATTA_POSTGRESQL is the SQLAlchemy URL of an empty database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from eval.leaderboard.database import Database
from eval.leaderboard.models import StoredRecord
from eval.leaderboard.store import AddedSubmission, NewSubmission, add, load
from eval.metrics_file import MetricScore, MetricsFile
from l2r.errors import LeaderboardError
from tests.eval.leaderboard.conftest import CASES, submission, synthetic_scores
from tests.eval.leaderboard.test_store import WORKER

URL = os.environ.get("REGATTA_POSTGRESQL", "")
pytestmark = pytest.mark.skipif(not URL, reason="REGATTA_POSTGRESQL is not set")


@pytest.fixture
def postgresql() -> Iterator[Database]:
    database = Database(URL)
    database.upgrade()
    yield database
    database.downgrade("base")


def test_models_and_migrations_agree(postgresql: Database) -> None:
    with postgresql.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, StoredRecord.metadata) == []


def test_what_was_added_is_loaded_once(postgresql: Database) -> None:
    cases = synthetic_scores(1)
    cases[CASES[0]]["TRE"] = MetricScore(mean=None)
    cases[CASES[1]]["HD95"] = MetricScore(mean=float("inf"), detailed=[1.0, float("inf"), None])
    mine = NewSubmission("toy", "a", MetricsFile(cases=cases))
    assert add(postgresql, mine).new
    assert not add(postgresql, mine).new
    (entry,) = load(postgresql, "toy").submissions
    assert entry.tables["HD95"].means[1] == np.inf
    assert np.isnan(entry.tables["TRE"].means[0])
    np.testing.assert_array_equal(entry.tables["HD95"].labels[1], [1.0, np.inf, np.nan])


def test_several_processes_at_once_lose_nothing_and_store_nothing_twice(
    postgresql: Database,
) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, URL, str(number)],
            cwd=Path(__file__).parents[3],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    errors = [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0, 0], errors
    entries = load(postgresql, "toy", every=True).submissions
    assert len(entries) == 4 * 5 + 5
    assert all(len(entry.tables) == 4 for entry in entries)


def test_where_the_tables_are_missing_the_error_says_so(postgresql: Database) -> None:
    postgresql.downgrade("base")
    with pytest.raises(LeaderboardError, match="has schema none"):
        add(postgresql, submission("a", 1))
    postgresql.upgrade()
    assert add(postgresql, submission("a", 1)) == AddedSubmission(1, new=True)


def test_a_server_that_does_not_answer_is_one_line() -> None:
    with pytest.raises(LeaderboardError, match="refused") as raised:
        Database("postgresql+psycopg://nobody:secret@127.0.0.1:1/none").upgrade()
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)
