"""Reading `metrics.json` back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.leaderboard.scores import content_hash, read_scores
from eval.metrics_file import MetricScore, MetricsFile
from eval.protocol import protocol_of
from l2r.errors import LeaderboardError
from l2r.task import Task, load_task
from tests.eval.leaderboard.conftest import CASES, synthetic_scores

Write = Callable[..., Path]


def read(path: Path, task: Task) -> MetricsFile:
    return read_scores(path, task.name, protocol_of(task))


def test_what_the_judge_writes_comes_back(write_metrics: Write, task: Task) -> None:
    cases = synthetic_scores(1)
    assert read(write_metrics("a", cases), task).cases == cases


def test_what_is_not_a_number_is_none_whether_it_was_nan_or_null(
    write_metrics: Write, task: Task
) -> None:
    cases = synthetic_scores(1)
    cases[CASES[0]]["TRE"] = MetricScore(mean=None)
    cases[CASES[0]]["DSC"] = MetricScore(mean=0.5, detailed=[0.5, None, 0.5])
    path = write_metrics("a", cases)
    strict = path.with_name("strict.json")
    strict.write_text(path.read_text().replace("NaN", "null"))
    assert "NaN" in path.read_text()
    assert read(path, task).cases == read(strict, task).cases == cases


def test_infinity_stays_what_it_is(write_metrics: Write, task: Task) -> None:
    cases = synthetic_scores(1)
    cases[CASES[2]]["HD95"] = MetricScore(mean=float("inf"), detailed=[1.0, float("inf"), 2.0])
    assert read(write_metrics("a", cases), task).cases == cases


def test_the_hash_knows_scores_name_and_task_but_not_the_layout() -> None:
    scores = MetricsFile(cases=synthetic_scores(1))
    again = MetricsFile(cases=dict(reversed(list(synthetic_scores(1).items()))))
    hashes = {
        content_hash(scores, "toy", "a"),
        content_hash(scores, "toy", "b"),
        content_hash(scores, "other", "a"),
        content_hash(MetricsFile(cases=synthetic_scores(2)), "toy", "a"),
    }
    assert content_hash(again, "toy", "a") == content_hash(scores, "toy", "a")
    assert len(hashes) == 4


def test_metrics_of_another_task_are_refused(write_metrics: Write) -> None:
    with pytest.raises(LeaderboardError, match=r"metric 'NDV' is not of task lumir24, which has"):
        read(write_metrics("a", synthetic_scores(1)), load_task("lumir24"))


def test_structures_of_another_task_are_refused(write_metrics: Write, task: Task) -> None:
    cases = synthetic_scores(1)
    cases[CASES[1]]["DSC"] = MetricScore(mean=0.5, detailed=[0.5, 0.5])
    with pytest.raises(LeaderboardError, match=r"DSC has 2 structures, but task toy has 3"):
        read(write_metrics("a", cases), task)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not valid JSON at line 1"),
        ("{}", "cases: field required"),
        ('{"cases": {}}', "holds no case"),
        ('{"cases": {"a": {}}}', "a: holds no metric"),
        ('{"cases": {"a": {"DSC": {"mean": "good"}}}}', "cases.a.DSC.mean: input should be"),
    ],
)
def test_what_is_no_metrics_file_is_refused(
    tmp_path: Path, task: Task, content: str, message: str
) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.raises(LeaderboardError, match=message) as raised:
        read(path, task)
    assert "\n" not in str(raised.value)


def test_the_organisers_extra_keys_are_left_alone(tmp_path: Path, task: Task) -> None:
    content = {
        "name": "TOY",
        "aggregates": {"ID_dice": {"mean": 0.5}},
        "cases": {"a": {"DSC": {"mean": 0.5, "detailed": [0.5, 0.5, 0.5], "more": 1}}},
    }
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(content))
    assert read(path, task).cases["a"]["DSC"] == MetricScore(mean=0.5, detailed=[0.5, 0.5, 0.5])
