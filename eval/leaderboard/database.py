"""Opens the leaderboard's database, and brings it to the schema of this version.

SQLite keeps writers apart by `BEGIN IMMEDIATE` and a patient wait for the lock; its write-ahead
log lets readers go on meanwhile. Other databases do that by themselves.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from l2r.errors import LeaderboardError

MIGRATIONS = Path(__file__).parent / "migrations"
WAIT_S = 60
"""How long a writer waits for the others before it gives up."""
_WRITES = "regatta_writes"
_SCHEMA_LOCK = 0x726567617474610
"""Key of PostgreSQL's advisory lock."""


class Database:
    """A place of submissions."""

    def __init__(self, place: str) -> None:
        """Nothing is opened yet.

        Args:
            place: path of an SQLite file, or any SQLAlchemy URL.

        Raises:
            LeaderboardError: the URL is faulty, or its driver is not installed.
        """
        self.url = _url(place)
        try:
            self._engine = create_engine(self.url)
        except (NoSuchModuleError, ImportError) as cause:
            raise LeaderboardError(
                f"{self}: {cause}; is the database's driver installed?"
            ) from None
        if self._is_sqlite:
            _tame_sqlite(self._engine)

    def __str__(self) -> str:
        """The file, or the URL without its password."""
        file = self.url.database if self._is_sqlite else None
        return file or self.url.render_as_string(hide_password=True)

    def upgrade(self, revision: str = "head") -> None:
        """Make the tables, or bring those of an older version up to date.

        Raises:
            LeaderboardError: the folder is missing, or the database cannot be used.
        """
        self._require_folder()
        with self._connect(writes=True) as connection:
            self._wait_for_others(connection)
            command.upgrade(_config(connection), revision)

    def downgrade(self, revision: str) -> None:
        """Undo what came after a revision; `base` for all."""
        with self._connect(writes=True) as connection:
            command.downgrade(_config(connection), revision)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database.

        Raises:
            LeaderboardError: there is no leaderboard, or it is of another version.
        """
        with self._ready(writes=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds SQLite's lock from its beginning; all or nothing is stored.

        Raises:
            LeaderboardError: there is no leaderboard, or it is of another version.
        """
        with self._ready(writes=True) as connection:
            yield connection

    @property
    def _is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def _ready(self, *, writes: bool) -> Iterator[Connection]:
        if self._is_sqlite and not Path(str(self.url.database)).is_file():
            raise LeaderboardError(f"{self}: no such leaderboard; {_remedy(self)}")
        with self._connect(writes=writes) as connection:
            found = MigrationContext.configure(connection).get_current_revision()
            wanted = ScriptDirectory.from_config(_config(connection)).get_current_head()
            if found != wanted:
                raise LeaderboardError(
                    f"{self}: has schema {found or 'none'}, but this version needs {wanted}; "
                    + _remedy(self)
                )
            yield connection

    @contextmanager
    def _connect(self, *, writes: bool) -> Iterator[Connection]:
        try:
            with self._engine.execution_options(**{_WRITES: writes}).begin() as connection:
                yield connection
        except SQLAlchemyError as cause:
            reason = str(getattr(cause, "orig", None) or cause).partition("\n")[0]
            raise LeaderboardError(f"{self}: {reason}") from cause
        finally:
            self._engine.dispose()

    def _wait_for_others(self, connection: Connection) -> None:
        """Two that make the tables at once would collide; SQLite's lock keeps them apart."""
        if self.url.get_backend_name() == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")

    def _require_folder(self) -> None:
        if self._is_sqlite and not (folder := Path(str(self.url.database)).parent).is_dir():
            raise LeaderboardError(f"{folder}: no such folder; make it first")


def _url(place: str) -> URL:
    if "://" not in place:
        return URL.create("sqlite", database=place)
    try:
        url = make_url(place)
    except ArgumentError:
        raise LeaderboardError(
            "the database's URL cannot be read; expected is a path, or for instance "
            "postgresql+psycopg://user:password@host/name"
        ) from None
    if url.get_backend_name() == "sqlite" and not url.database:
        raise LeaderboardError(f"{place}: a database in memory forgets; name a file")
    return url


def _tame_sqlite(engine: Engine) -> None:
    """Python's driver must not begin transactions by itself, or they would begin too late."""

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {1000 * WAIT_S}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _remedy(database: Database) -> str:
    return f"`python -m eval leaderboard init --database {database}` makes or updates it"
