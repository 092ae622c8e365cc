"""Alembic runs this; the connection comes from `eval.leaderboard.database`."""

from alembic import context

from eval.leaderboard.models import StoredRecord

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=StoredRecord.metadata,
    # SQLite can change a schema inside a transaction, although Alembic does not expect it to.
    transactional_ddl=True,
)
context.run_migrations()
