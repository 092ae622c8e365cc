"""Tasks with their cases, submissions with their scores."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the five tables."""
    op.create_table(
        "task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task"),
        sa.UniqueConstraint("name", name="uq_task_name"),
    )
    op.create_table(
        "task_case",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(400), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_task_case_task_id_task"),
        sa.PrimaryKeyConstraint("id", name="pk_task_case"),
        sa.UniqueConstraint("task_id", "position", name="uq_task_case_task_id"),
    )
    op.create_table(
        "submission",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("added", sa.DateTime(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_submission_task_id_task"),
        sa.PrimaryKeyConstraint("id", name="pk_submission"),
        sa.UniqueConstraint("sha256", name="uq_submission_sha256"),
    )
    op.create_index("ix_submission_task_id", "submission", ["task_id"])
    op.create_table(
        "score",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(200), nullable=False),
        sa.Column("mean", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name="fk_score_submission_id_submission"
        ),
        sa.ForeignKeyConstraint(["case_id"], ["task_case.id"], name="fk_score_case_id_task_case"),
        sa.PrimaryKeyConstraint("id", name="pk_score"),
        sa.UniqueConstraint("submission_id", "case_id", "metric", name="uq_score_submission_id"),
    )
    op.create_table(
        "label_score",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("score_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["score_id"], ["score.id"], name="fk_label_score_score_id_score"),
        sa.PrimaryKeyConstraint("id", name="pk_label_score"),
        sa.UniqueConstraint("score_id", "position", name="uq_label_score_score_id"),
    )


def downgrade() -> None:
    """Drop them, those that refer to others first."""
    op.drop_table("label_score")
    op.drop_table("score")
    op.drop_index("ix_submission_task_id", "submission")
    op.drop_table("submission")
    op.drop_table("task_case")
    op.drop_table("task")
