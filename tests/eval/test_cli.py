"""`python -m eval`."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from eval import commands
from eval.cli import app
from l2r.formats.fields import write_field
from tests.eval.conftest import Phantom
from tests.eval.imports import modules


def arguments(phantom: Phantom, *more: object) -> list[str]:
    options = ["--task", phantom.task_file, "--dataset", phantom.dataset, *more]
    return ["score", str(phantom.fields), *map(str, options)]


def call(phantom: Phantom, *more: object) -> Result:
    return CliRunner().invoke(app, arguments(phantom, *more), catch_exceptions=False)


def test_it_prints_a_table_and_writes_the_organisers_file(phantom: Phantom) -> None:
    output = phantom.folder / "metrics.json"
    result = call(phantom, "--output", output)
    assert result.exit_code == 0
    for text in ("PHANTOM", "0005_0000<--0004_0000", "DSC", "mean", "unregistered"):
        assert text in result.stdout
    assert list(json.loads(output.read_text())["cases"]) == [
        "0002_0000<--0001_0000",
        "0003_0000<--0002_0000",
        "0005_0000<--0004_0000",
    ]


def test_piped_output_is_plain_and_as_wide_as_it_needs_to_be(phantom: Phantom) -> None:
    result = call(phantom)
    assert "\x1b" not in result.stdout
    assert "…" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) > 80


def test_progress_goes_elsewhere_than_results(phantom: Phantom) -> None:
    result = call(phantom)
    news = [text for text in result.stderr.splitlines() if text]
    assert len(news) == 3
    assert "3/3" in news[-1]
    assert "0005_0000<--0004_0000: Non-diffeomorphic Volumes" in news[-1]
    assert "3/3" not in result.stdout


def test_what_the_means_hide_is_noted_below_the_table(phantom: Phantom) -> None:
    case = phantom.case_without(2, "landmarks", 3)
    write_field(phantom.fields / "disp_0005_0004.nii.gz", case.vectors, np.eye(4))
    last = call(phantom).stdout.splitlines()[-1]
    assert last.startswith("note: 0005_0000<--0004_0000: TRE_lm: 1 of 8 landmarks vanished")


def test_the_ground_truth_may_lie_elsewhere_than_the_list(phantom: Phantom) -> None:
    elsewhere = phantom.folder / "lists"
    elsewhere.mkdir()
    phantom.dataset.rename(elsewhere / "dataset.json")
    options = ["--dataset", str(elsewhere / "dataset.json")]
    assert call(phantom, *options).exit_code == 2
    assert call(phantom, *options, "--ground-truth", phantom.folder).exit_code == 0


def test_another_split_can_be_scored(phantom: Phantom) -> None:
    pairs = json.loads(phantom.dataset.read_text())["validation"]
    phantom.dataset.write_text(json.dumps({"validation": pairs, "test": pairs[:1]}))
    result = call(phantom, "--split", "test")
    assert result.exit_code == 0, result.stderr
    assert "1/1" in result.stderr


@pytest.mark.parametrize("zipped", [False, True])
def test_files_that_no_pair_needs_are_ignored_with_a_note(phantom: Phantom, zipped: bool) -> None:
    pairs = json.loads(phantom.dataset.read_text())["validation"]
    phantom.dataset.write_text(json.dumps({"validation": pairs[:1]}))
    (phantom.fields / "__MACOSX").mkdir()
    (phantom.fields / "__MACOSX/._disp_0002_0001.nii.gz").write_bytes(b"\0\5\x16\7")
    (phantom.fields / "Thumbs.db").touch()
    submission = phantom.fields
    if zipped:
        made = shutil.make_archive(str(phantom.folder / "sent"), "zip", phantom.fields)
        submission = Path(made)
    options = ["--task", phantom.task_file, "--dataset", phantom.dataset]
    result = CliRunner().invoke(app, ["score", str(submission), *map(str, options)])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == (
        "note: 4 files that no pair needs (Thumbs.db, __MACOSX/._disp_0002_0001.nii.gz, "
        "disp_0003_0002.nii.gz, ...); the scorer ignores them"
    )


def test_a_config_of_fewer_pairs_than_fields_is_scored_with_a_note(phantom: Phantom) -> None:
    pairs = json.loads(phantom.dataset.read_text())["validation"]
    config = phantom.folder / "evaluation_config.json"
    methods = [{"name": "Overlap", "metric": "dice", "labels": [1, 2]}]
    content = {"name": "THEIRS", "evaluation_methods": methods, "expected_shape": [20, 18, 16, 3]}
    config.write_text(json.dumps(content | {"eval_pairs": pairs[1:]}))
    options = ["--task", str(phantom.task_file), "--evaluation-config", str(config)]
    result = CliRunner().invoke(app, ["score", str(phantom.fields), *options])
    assert result.exit_code == 0, result.stderr
    assert "note: 1 file that no pair needs (disp_0002_0001.nii.gz)" in result.stdout


@pytest.mark.slow
def test_several_processes_give_the_same_files_to_the_byte(phantom: Phantom) -> None:
    files = []
    for jobs in ("1", "3"):
        outputs = [phantom.folder / f"{jobs}{suffix}" for suffix in (".json", ".csv", ".parquet")]
        options = [word for output in outputs for word in ("--output", output)]
        result = call(phantom, "--jobs", jobs, *options)
        assert result.exit_code == 0
        assert [line[:5] for line in result.stderr.splitlines() if line] == [
            "[1/3]",
            "[2/3]",
            "[3/3]",
        ]
        files.append([output.read_bytes() for output in outputs])
    assert files[0] == files[1]


def test_a_file_of_another_kind_is_refused_before_the_work(phantom: Phantom) -> None:
    result = call(phantom, "--output", phantom.folder / "scores.xlsx")
    assert result.exit_code == 2
    assert "scores are written as .json, .csv, .parquet" in result.stderr
    assert "1/3" not in result.stderr


def test_the_organisers_config_is_protocol_and_pair_list(phantom: Phantom) -> None:
    pairs = json.loads(phantom.dataset.read_text())["validation"]
    config = phantom.folder / "evaluation_config.json"
    methods = [{"name": "Overlap", "metric": "dice", "labels": [1, 2]}]
    content = {"name": "THEIRS", "evaluation_methods": methods, "expected_shape": [20, 18, 16, 3]}
    config.write_text(json.dumps(content | {"eval_pairs": pairs}))
    options = ["--task", str(phantom.task_file), "--evaluation-config", str(config)]
    result = CliRunner().invoke(app, ["score", str(phantom.fields), *options])
    assert result.exit_code == 0, result.stderr
    assert "THEIRS" in result.stdout
    assert "Overlap" in result.stdout
    assert "HD95" not in result.stdout


def test_without_pairs_nothing_can_be_scored(phantom: Phantom) -> None:
    options = ["score", str(phantom.fields), "--task", str(phantom.task_file)]
    for more in ([], ["--ground-truth", str(phantom.folder)]):
        result = CliRunner().invoke(app, [*options, *more])
        assert result.exit_code == 2
        (message,) = result.stderr.splitlines()
        assert message.startswith("error: no pair list; give --dataset, or --evaluation-config")


def test_a_missing_field_is_one_line_and_exit_code_2(phantom: Phantom) -> None:
    (phantom.fields / "disp_0003_0002.nii.gz").unlink()
    result = call(phantom)
    assert result.exit_code == 2
    assert result.stdout == ""
    (message,) = result.stderr.splitlines()
    assert message.startswith("error: ")
    assert "disp_0003_0002.nii.gz: no such file" in message


def test_a_missing_folder_for_the_result_is_noticed_before_the_work(phantom: Phantom) -> None:
    result = call(phantom, "--output", phantom.folder / "nowhere" / "metrics.json")
    assert result.exit_code == 2
    assert "the folder does not exist" in result.stderr
    assert "1/3" not in result.stderr


def test_a_defect_keeps_its_traceback(phantom: Phantom, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(commands.Scorer, "score_submission", fail)
    with pytest.raises(ZeroDivisionError):
        call(phantom)


def test_the_table_is_there_even_if_the_file_cannot_be_written(phantom: Phantom) -> None:
    output = phantom.folder / "metrics.json"
    output.mkdir()
    result = call(phantom, "--output", output)
    assert result.exit_code == 2
    assert "mean" in result.stdout
    assert "metrics.json: cannot be written" in result.stderr


def test_score_stays_a_command_of_its_own() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert "score" in result.stdout
    assert "organisers" in result.stdout


def test_it_runs_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["eval", "score", "--help"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("eval", run_name="__main__")
    assert stopped.value.code == 0


def test_scoring_never_imports_torch(phantom: Phantom) -> None:
    imported = modules(*arguments(phantom))
    assert {"eval.scoring", "scipy"} <= imported
    assert not {"torch", "models", "pipeline"} & imported


def test_help_waits_for_nothing_heavy() -> None:
    imported = modules("score", "--help")
    assert "eval.cli" in imported
    assert not {"torch", "numpy", "scipy", "nibabel"} & imported
