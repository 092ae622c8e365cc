"""`python -m eval leaderboard`."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from eval.cli import app
from eval.leaderboard.board import Board
from l2r.task import Task
from tests.eval.imports import modules
from tests.eval.leaderboard.conftest import CASES, synthetic_scores

Write = Callable[..., Path]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: Task) -> Callable[..., Result]:
    """The command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object, env: dict[str, str] | None = None) -> Result:
        arguments = ["leaderboard", *map(str, words)]
        return CliRunner().invoke(app, arguments, env=env, catch_exceptions=False)

    return run


@pytest.fixture
def filled(call: Callable[..., Result], write_metrics: Write) -> Callable[..., Result]:
    """A leaderboard with two submissions in its default place."""
    assert call("init").exit_code == 0
    for name, seed, shift in (("weak", 1, 0.0), ("strong", 2, 0.1)):
        path = write_metrics(name, synthetic_scores(seed, shift=shift))
        assert call("add", path, "--task", "toy.toml", "--name", name).exit_code == 0
    return call


def test_init_makes_a_file_in_the_working_folder(call: Callable[..., Result]) -> None:
    result = call("init")
    assert result.stdout == "leaderboard.sqlite: ready\n"
    assert Path("leaderboard.sqlite").is_file()


def test_the_place_may_come_from_the_environment(call: Callable[..., Result]) -> None:
    call("init", env={"REGATTA_LEADERBOARD": "other.sqlite"})
    assert Path("other.sqlite").is_file()
    assert not Path("leaderboard.sqlite").exists()


def test_add_says_what_it_did(call: Callable[..., Result], write_metrics: Write) -> None:
    call("init")
    path = write_metrics("a", synthetic_scores(1))
    words = ("add", path, "--task", "toy.toml", "--name", "me")
    assert "submission 1, 'me' to toy, 6 cases" in call(*words).stdout
    assert "exists already, with the same scores" in call(*words).stdout


def test_a_manifest_and_a_note_reach_the_board(
    call: Callable[..., Result], write_metrics: Write, tmp_path: Path
) -> None:
    call("init")
    manifest = tmp_path / "manifest.json"
    manifest.write_text('{"regatta": "0.1"}')
    path = write_metrics("a", synthetic_scores(1))
    options = ("--task", "toy.toml", "--name", "me", "--manifest", manifest, "--note", "late")
    assert call("add", path, *options).exit_code == 0
    board = Board.model_validate_json(call("show", "--task", "toy.toml", "--json").stdout)
    assert (board.rows[0].manifest, board.rows[0].note) == ('{"regatta": "0.1"}', "late")


def test_show_prints_the_ranking(filled: Callable[..., Result]) -> None:
    result = filled("show", "--task", "toy.toml", "--rule", "lumir24")
    lines = result.stdout.splitlines()
    strong, weak = (next(line for line in lines if name in line) for name in ("strong", "weak"))
    assert strong.split()[0] == "1"
    assert weak.split()[0] == "2"
    assert lines.index(strong) < lines.index(weak)
    dice = [case["DSC"].mean for case in synthetic_scores(1).values()]
    assert f"{np.mean(dice):.4f} ± {np.std(dice):.4f}" in weak
    assert "rule lumir24: Weighted geometric mean" in result.stdout
    assert "note: The organisers have not published the rule" in result.stdout
    assert "rank by" not in result.stdout


def test_show_as_json_is_the_board(filled: Callable[..., Result]) -> None:
    result = filled("show", "--task", "toy.toml", "--json")
    board = Board.model_validate_json(result.stdout)
    assert board.rule == "mean_rank"
    assert [row.name for row in board.rows] == ["strong", "weak"]
    assert board.cases == CASES


def test_one_metric_can_be_ranked_alone(filled: Callable[..., Result]) -> None:
    result = filled("show", "--task", "toy.toml", "--metric", "HD95", "--json")
    assert [column["name"] for column in json.loads(result.stdout)["columns"]] == ["HD95"]


def test_replaced_submissions_are_shown_when_asked_for(
    filled: Callable[..., Result], write_metrics: Write
) -> None:
    path = write_metrics("again", synthetic_scores(7))
    filled("add", path, "--task", "toy.toml", "--name", "weak")
    names = {
        flag: {
            row["name"]
            for row in json.loads(filled("show", "--task", "toy.toml", "--json", *flag).stdout)[
                "rows"
            ]
        }
        for flag in ((), ("--all",))
    }
    assert names == {(): {"strong", "weak"}, ("--all",): {"strong", "weak", "weak (#1)"}}


def test_published_tables_of_as_many_pairs_are_shown_beside(call: Callable[..., Result]) -> None:
    call("init")
    shown = call("show", "--task", "lumir24").stdout
    assert "honkamj" in shown
    assert "lumir24_validation" in shown
    only = call("show", "--task", "lumir24", "--published", "lumir24_test", "--json").stdout
    assert {row["table"] for row in json.loads(only)["rows"]} == {"lumir24_test"}


def test_tables_over_other_pairs_are_not_shown_unasked(
    call: Callable[..., Result], tmp_path: Path
) -> None:
    call("init")
    path = tmp_path / "metrics.json"
    path.write_text('{"cases": {"a": {"TRE_lm": {"mean": 2.0}}}}')
    call("add", path, "--task", "lumir24", "--name", "me")
    unasked = json.loads(call("show", "--task", "lumir24", "--json").stdout)
    assert [row["name"] for row in unasked["rows"]] == ["me"]
    asked = call("show", "--task", "lumir24", "--published", "lumir24_test")
    assert "1 cases, lumir24_test is over 590 pairs: compare with care" in asked.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "--task", "toy.toml", "--rule", "x"), "no rule 'x'; known are"),
        (("show", "--task", "toy.toml", "--metric", "x"), "--metric 'x': no such metric; known"),
        (("show", "--task", "toy.toml", "--published", "x"), "no published table 'x'"),
        (("show", "--task", "nothing"), "no task 'nothing'"),
        (("show", "--task", "toy.toml", "--database", "x.sqlite"), "no such leaderboard"),
        (("add", "x.json", "--task", "toy.toml", "--name", "a"), "x.json: no such file"),
        (("add", "x.json", "--task", "toy.toml", "--name", " "), "--name ' ': expected are 1 to"),
        (("init", "--database", "nowhere/x.sqlite"), "nowhere: no such folder"),
    ],
)
def test_refusals_are_one_line_and_exit_code_2(
    filled: Callable[..., Result], words: tuple[str, ...], message: str
) -> None:
    result = filled(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_metrics_of_another_task_are_refused_and_nothing_is_stored(
    filled: Callable[..., Result], write_metrics: Write
) -> None:
    path = write_metrics("a", synthetic_scores(1))
    result = filled("add", path, "--task", "lumir24", "--name", "a")
    assert result.exit_code == 2
    assert "metric 'NDV' is not of task lumir24" in result.stderr
    assert json.loads(filled("show", "--task", "lumir24", "--json").stdout)["cases"] == []


def test_a_manifest_that_is_no_json_is_refused(
    filled: Callable[..., Result], write_metrics: Write, tmp_path: Path
) -> None:
    path = write_metrics("a", synthetic_scores(9))
    (tmp_path / "m.json").write_text("{")
    result = filled("add", path, "--task", "toy.toml", "--name", "a", "--manifest", "m.json")
    assert result.exit_code == 2
    assert "m.json: not valid JSON" in result.stderr


def test_help_waits_for_nothing_heavy() -> None:
    imported = modules("leaderboard", "add", "--help")
    assert "eval.leaderboard.cli" in imported
    assert not {"torch", "numpy", "scipy", "sqlalchemy", "alembic"} & imported
