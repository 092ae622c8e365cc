"""A `metrics.json` as the leaderboard takes it: of the task's metrics and structures."""

import hashlib
import json
from pathlib import Path

from eval.metrics_file import MetricScore, MetricsFile, read_metrics
from eval.protocol import Protocol
from l2r.errors import LeaderboardError


def read_scores(path: Path, task: str, protocol: Protocol) -> MetricsFile:
    """Read a `metrics.json` of a task.

    Args:
        path: of the file.
        task: its name.
        protocol: of the task.

    Raises:
        LeaderboardError: no such file, or it is not one, or its metrics or structures are those
            of another task.
    """
    metrics = read_metrics(path)
    if not metrics.cases:
        raise LeaderboardError(f"{path}: holds no case; score the submission first")
    for case, scores in metrics.cases.items():
        _require_protocol(f"{path}: {case}", scores, task, protocol)
    return metrics


def content_hash(metrics: MetricsFile, task: str, name: str) -> str:
    """Hash of the scores under a task and a name; the layout of the file does not matter."""
    cases = {
        case: {metric: [score.mean, *score.values] for metric, score in scores.items()}
        for case, scores in metrics.cases.items()
    }
    content = json.dumps({"task": task, "name": name, "cases": cases}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _require_protocol(
    where: str, scores: dict[str, MetricScore], task: str, protocol: Protocol
) -> None:
    known = {metric.name: metric for metric in protocol.metrics}
    if not scores:
        raise LeaderboardError(f"{where}: holds no metric; score the submission again")
    for name, score in scores.items():
        if name not in known:
            raise LeaderboardError(
                f"{where}: metric {name!r} is not of task {task}, which has {', '.join(known)}; "
                "was this scored for another task?"
            )
        count, expected = len(score.values), len(protocol.labels or ())
        if known[name].folder == "labels" and expected and count not in (0, expected):
            raise LeaderboardError(
                f"{where}: {name} has {count} structures, but task {task} has {expected}; "
                "was this scored for another task?"
            )
