"""The same on PostgreSQL: Debian's server, or REGATTA_POSTGRESQL, the URL of an empty database."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from eval.leaderboard.archive import restore_archive, write_archive
from eval.leaderboard.changes import BoardChange, remove, rename
from eval.leaderboard.database import Database
from eval.leaderboard.models import StoredRecord
from eval.leaderboard.store import AddedSubmission, NewSubmission, add, add_within, load
from eval.metrics_file import MetricScore, MetricsFile
from l2r.errors import LeaderboardError
from tests.eval.leaderboard import server
from tests.eval.leaderboard.conftest import CASES, submission, synthetic_scores
from tests.eval.leaderboard.test_store import WORKER

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if given := os.environ.get("REGATTA_POSTGRESQL"):
        yield given
        return
    binaries = server.programs()
    if binaries is None:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    with server.server(binaries) as started:
        yield started


@pytest.fixture
def postgresql(url: str) -> Iterator[Database]:
    database = Database(url)
    database.upgrade()
    yield database
    database.downgrade("base")


def start(code: str, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).scalars()
        found = set(rows)
    engine.dispose()
    return found


def test_migrations_lead_up_from_nothing_and_down_to_nothing(url: str) -> None:
    database = Database(url)
    everything = {table.name for table in StoredRecord.metadata.sorted_tables}
    for _ in range(2):
        database.upgrade()
        assert tables(url) == everything | {"alembic_version"}
        database.downgrade("0001")
        assert tables(url) == everything - {"change"} | {"alembic_version"}
        database.downgrade("base")
        assert tables(url) == {"alembic_version"}


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


def test_eight_processes_at_once_lose_nothing_and_store_nothing_twice(url: str) -> None:
    """They also make the tables at once."""
    workers = [start(WORKER, url, str(number)) for number in range(8)]
    errors = [worker.communicate(timeout=250)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8, errors
    entries = load(Database(url), "toy", every=True).submissions
    Database(url).downgrade("base")
    assert len(entries) == 8 * 5 + 5
    assert all(len(entry.tables) == 4 for entry in entries)
    assert all(table.has.all() for entry in entries for table in entry.tables.values())


SLEEPER = """
import sys, time
from eval.leaderboard.database import Database
from eval.leaderboard.store import add_within
from tests.eval.leaderboard.conftest import submission

with Database(sys.argv[1]).writing() as connection:
    add_within(connection, submission("a", 1))
    print("stored", flush=True)
    time.sleep(600)
"""


def test_a_client_that_is_killed_before_the_end_leaves_nothing(
    postgresql: Database, url: str
) -> None:
    client = start(SLEEPER, url)
    assert client.stdout is not None
    assert client.stdout.readline() == "stored\n"
    client.kill()
    client.communicate()
    assert add(postgresql, submission("a", 1)).new
    (entry,) = load(postgresql, "toy", every=True).submissions
    assert all(table.has.all() for table in entry.tables.values())


def end_connections(url: str) -> None:
    """End the server's side of every connection but the one that asks."""
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
    engine.dispose()


def test_a_connection_that_is_lost_halfway_is_one_line_and_adding_again_stores_once(
    postgresql: Database, url: str
) -> None:
    def add_halfway() -> None:
        with postgresql.writing() as connection:
            add_within(connection, submission("a", 1))
            end_connections(url)
            add_within(connection, submission("b", 2))

    with pytest.raises(LeaderboardError) as raised:
        add_halfway()
    assert "\n" not in str(raised.value)
    assert load(postgresql, "toy").submissions == ()
    assert add(postgresql, submission("a", 1)).new
    assert not add(postgresql, submission("a", 1)).new


ADDER = """
import sys
from eval.leaderboard.database import Database
from eval.leaderboard.store import add
from l2r.errors import LeaderboardError
from tests.eval.leaderboard.conftest import submission

for seed in range(30):
    for attempt in range(100):
        try:
            add(Database(sys.argv[1]), submission("team", seed))
            break
        except LeaderboardError:
            continue
"""


def test_connections_that_are_lost_again_and_again_lose_nothing_and_double_nothing(
    postgresql: Database, url: str
) -> None:
    client = start(ADDER, url)
    lost = 0
    while client.poll() is None:
        end_connections(url)
        lost += 1
        time.sleep(0.2)
    assert client.returncode == 0, client.communicate()[1]
    client.communicate()
    assert lost > 1
    entries = load(postgresql, "toy", every=True).submissions
    assert len(entries) == 30
    assert all(table.has.all() for entry in entries for table in entry.tables.values())


def test_a_name_is_removed_and_another_renamed_while_others_add(
    postgresql: Database, url: str
) -> None:
    for name, seed in (("a", 1000), ("b", 1001)):
        add(postgresql, submission(name, seed))
    client = start(WORKER, url, "7")
    assert remove(postgresql, BoardChange("toy", "a", "me")) == 1
    assert rename(postgresql, BoardChange("toy", "b", "me"), "c") == 1
    assert client.wait(timeout=120) == 0, client.communicate()[1]
    client.communicate()
    names = [entry.name for entry in load(postgresql, "toy").submissions]
    assert sorted(names) == ["c", "everyone", "team 7"]


def test_a_board_moves_from_a_file_to_a_server_and_back(
    postgresql: Database, database: Database, tmp_path: Path
) -> None:
    for name, seed in (("a", 1), ("b", 2), ("a", 3)):
        add(database, submission(name, seed))
    rename(database, BoardChange("toy", "b", "me", "a typo"), "c")
    write_archive(database, tmp_path / "there.json")
    assert restore_archive(postgresql, tmp_path / "there.json") == (3, 3)
    assert restore_archive(postgresql, tmp_path / "there.json") == (0, 3)
    write_archive(postgresql, tmp_path / "back.json")
    assert (tmp_path / "back.json").read_text() == (tmp_path / "there.json").read_text()


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
