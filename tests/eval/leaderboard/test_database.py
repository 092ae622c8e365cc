"""The database and its migrations."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from eval.leaderboard.database import Database
from eval.leaderboard.models import StoredRecord
from eval.leaderboard.store import add, load
from l2r.errors import LeaderboardError
from tests.eval.leaderboard.conftest import submission

TABLES = {"task", "task_case", "submission", "score", "label_score", "change"}


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    return {name for (name,) in rows}


def test_migrations_lead_up_from_nothing_and_down_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    database = Database(str(path))
    database.upgrade()
    assert tables(path) == TABLES | {"alembic_version"}
    database.downgrade("base")
    assert tables(path) == {"alembic_version"}
    database.upgrade()
    assert tables(path) == TABLES | {"alembic_version"}


def test_models_and_migrations_agree(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, StoredRecord.metadata) == []


def test_every_constraint_of_the_migrations_has_the_models_name(database: Database) -> None:
    """`compare_metadata` does not look at the names of primary and foreign keys."""
    with database.reading() as connection:
        inspector = inspect(connection)
        for table in StoredRecord.metadata.sorted_tables:
            found = {key["name"] for key in inspector.get_foreign_keys(table.name)}
            found |= {inspector.get_pk_constraint(table.name)["name"]}
            found |= {key["name"] for key in inspector.get_unique_constraints(table.name)}
            assert found == {constraint.name for constraint in table.constraints}


def test_making_it_twice_keeps_what_is_there(database: Database) -> None:
    add(database, submission("a", 1))
    database.upgrade()
    assert [entry.name for entry in load(database, "toy").submissions] == ["a"]


def test_a_url_is_as_good_as_a_path(tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    Database(f"sqlite:///{path}").upgrade()
    add(Database(str(path)), submission("a", 1))
    assert len(load(Database(f"sqlite:///{path}"), "toy").submissions) == 1


def test_a_writer_that_fails_leaves_nothing(database: Database) -> None:
    def write_half() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO task (name) VALUES ('half')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM task").scalar() == 0


def test_where_there_is_none_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "board.sqlite"))
    with (
        pytest.raises(LeaderboardError, match=r"no such leaderboard; `python -m eval .* init"),
        database.reading(),
    ):
        pass
    assert not (tmp_path / "board.sqlite").exists()


def test_another_schema_is_refused(database: Database) -> None:
    database.downgrade("base")
    with (
        pytest.raises(LeaderboardError, match=r"has schema none, but this version needs 0002"),
        database.reading(),
    ):
        pass


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("oracle://", r"driver"),
        ("nothing://host/name", "driver"),
        ("sqlite://", "in memory forgets"),
        ("://", "URL cannot be read"),
    ],
)
def test_a_faulty_url_is_one_line(place: str, message: str) -> None:
    with pytest.raises(LeaderboardError, match=message) as raised:
        Database(place)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    path.write_text("this is a text, and a long one\n" * 100)
    with (
        pytest.raises(LeaderboardError, match="not a database") as raised,
        Database(str(path)).reading(),
    ):
        pass
    assert "\n" not in str(raised.value)


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LeaderboardError, match="nowhere: no such folder"):
        Database(str(tmp_path / "nowhere" / "board.sqlite")).upgrade()


def test_no_password_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.leaderboard.database.create_engine", lambda _: None)
    shown = str(Database("postgresql+psycopg://me:secret@host/board"))
    assert "secret" not in shown
    assert "host/board" in shown
