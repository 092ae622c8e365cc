"""Reading `metrics.json` back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.leaderboard.scores import Score, Scores, read_scores
from l2r.errors import LeaderboardError
from l2r.task import Task, load_task
from tests.eval.leaderboard.conftest import CASES, made_up

Write = Callable[..., Path]


def test_what_the_judge_writes_comes_back(write_metrics: Write, task: Task) -> None:
    cases = made_up(1)
    assert read_scores(write_metrics("a", cases), task).cases == cases


def test_what_is_not_a_number_is_none_whether_it_was_nan_or_null(
    write_metrics: Write, task: Task
) -> None:
    cases = made_up(1)
    cases[CASES[0]]["TRE"] = Score(None)
    cases[CASES[0]]["DSC"] = Score(0.5, (0.5, None, 0.5))
    path = write_metrics("a", cases)
    strict = path.with_name("strict.json")
    strict.write_text(path.read_text().replace("NaN", "null"))
    assert "NaN" in path.read_text()
    assert read_scores(path, task).cases == read_scores(strict, task).cases == cases


def test_infinity_stays_what_it_is(write_metrics: Write, task: Task) -> None:
    cases = made_up(1)
    cases[CASES[2]]["HD95"] = Score(float("inf"), (1.0, float("inf"), 2.0))
    assert read_scores(write_metrics("a", cases), task).cases == cases


def test_the_hash_knows_scores_name_and_task_but_not_the_layout() -> None:
    scores = Scores(made_up(1))
    again = Scores(dict(reversed(list(made_up(1).items()))))
    hashes = {
        scores.sha256("toy", "a"),
        scores.sha256("toy", "b"),
        scores.sha256("other", "a"),
        Scores(made_up(2)).sha256("toy", "a"),
    }
    assert again.sha256("toy", "a") == scores.sha256("toy", "a")
    assert len(hashes) == 4


def test_metrics_of_another_task_are_refused(write_metrics: Write) -> None:
    with pytest.raises(LeaderboardError, match=r"metric 'NDV' is not of task lumir24, which has"):
        read_scores(write_metrics("a", made_up(1)), load_task("lumir24"))


def test_structures_of_another_task_are_refused(write_metrics: Write, task: Task) -> None:
    cases = made_up(1)
    cases[CASES[1]]["DSC"] = Score(0.5, (0.5, 0.5))
    with pytest.raises(LeaderboardError, match=r"DSC has 2 structures, but task toy has 3"):
        read_scores(write_metrics("a", cases), task)


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
        read_scores(path, task)
    assert "\n" not in str(raised.value)


def test_the_organisers_extra_keys_are_left_alone(tmp_path: Path, task: Task) -> None:
    content = {
        "name": "TOY",
        "aggregates": {"ID_dice": {"mean": 0.5}},
        "cases": {"a": {"DSC": {"mean": 0.5, "detailed": [0.5, 0.5, 0.5], "more": 1}}},
    }
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(content))
    assert read_scores(path, task).cases["a"]["DSC"] == Score(0.5, (0.5, 0.5, 0.5))
