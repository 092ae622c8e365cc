"""The organisers' `metrics.json`, read back: what a submission is ranked by.

Both ways of writing what is not a number are understood, `NaN` and `Infinity` as the scorers write
them, and `null` as the platform reads them.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from eval.protocol import Protocol, protocol_of
from l2r.errors import LeaderboardError
from l2r.schema import Tolerant, parse, read_json
from l2r.task import Task

Numbers = tuple[float | None, ...]


@dataclass(frozen=True)
class Score:
    """One metric of one case."""

    mean: float | None
    """None where it is not a number."""
    labels: Numbers = ()
    """Per structure, in the scorer's order; empty where there is but one value."""


@dataclass(frozen=True)
class Scores:
    """A scored submission."""

    cases: dict[str, dict[str, Score]]
    """By the case's name, then by the metric's."""

    def sha256(self, task: str, name: str) -> str:
        """Hash of the scores under a task and a name; the layout of the file does not matter."""
        cases = {
            case: {metric: [score.mean, *score.labels] for metric, score in scores.items()}
            for case, scores in self.cases.items()
        }
        content = json.dumps({"task": task, "name": name, "cases": cases}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


class _Result(Tolerant):
    mean: float | None
    detailed: float | list[float | None] | None = None


class _File(Tolerant):
    cases: dict[str, dict[str, _Result]]


def read_scores(path: Path, task: Task) -> Scores:
    """Read a `metrics.json` of a task.

    Raises:
        LeaderboardError: no such file, or it is not one, or its metrics or structures are those
            of another task.
        TaskError: the task's protocol is faulty.
    """
    file = parse(_File, read_json(path, LeaderboardError), str(path), LeaderboardError)
    if not file.cases:
        raise LeaderboardError(f"{path}: holds no case; score the submission first")
    protocol = protocol_of(task)
    for case, results in file.cases.items():
        _require_protocol(f"{path}: {case}", results, task.name, protocol)
    return Scores(
        {
            case: {metric: _score(result) for metric, result in results.items()}
            for case, results in file.cases.items()
        }
    )


def _require_protocol(
    where: str, results: dict[str, _Result], task: str, protocol: Protocol
) -> None:
    known = {metric.name: metric for metric in protocol.metrics}
    if not results:
        raise LeaderboardError(f"{where}: holds no metric; score the submission again")
    for name, result in results.items():
        if name not in known:
            raise LeaderboardError(
                f"{where}: metric {name!r} is not of task {task}, which has {', '.join(known)}; "
                "was this scored for another task?"
            )
        count = len(result.detailed) if isinstance(result.detailed, list) else 0
        expected = len(protocol.labels or ())
        if known[name].folder == "labels" and expected and count not in (0, expected):
            raise LeaderboardError(
                f"{where}: {name} has {count} structures, but task {task} has {expected}; "
                "was this scored for another task?"
            )


def _score(result: _Result) -> Score:
    several = result.detailed if isinstance(result.detailed, list) else []
    return Score(_number(result.mean), tuple(_number(value) for value in several))


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else float(value)  # noqa: PLR0124 - NaN
