"""Turns the rows of a submission into scores as a metrics file has them."""

from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from eval.leaderboard.models import StoredCase, StoredLabel, StoredScore
from eval.metrics_file import MetricScore, MetricsFile


def scores_of(session: Session, submission: int) -> MetricsFile:
    """The scores of a submission, in the order of the task's cases."""
    labels: dict[int, list[float | None]] = defaultdict(list)
    for score, value in session.execute(
        select(StoredLabel.score_id, StoredLabel.value)
        .join(StoredScore, StoredLabel.score_id == StoredScore.id)
        .where(StoredScore.submission_id == submission)
        .order_by(StoredLabel.position)
    ):
        labels[score].append(value)
    cases: dict[str, dict[str, MetricScore]] = defaultdict(dict)
    for number, case, metric, mean in session.execute(
        select(StoredScore.id, StoredCase.name, StoredScore.metric, StoredScore.mean)
        .join(StoredCase, StoredScore.case_id == StoredCase.id)
        .where(StoredScore.submission_id == submission)
        .order_by(StoredCase.position, StoredScore.id)
    ):
        cases[case][metric] = MetricScore(mean=mean, detailed=labels.get(number))
    return MetricsFile(cases=dict(cases))
