"""`regatta experiment` on made-up brains, from training to tests."""

import csv
import json
from pathlib import Path

import pytest

from tests.pipeline.conftest import Command
from tests.pipeline.train.test_command import MODEL, brains, written

__all__ = ["brains"]

RUN = f"""\
[model]
{MODEL}
"""
FILE = """\
title = "Trained, and not"
task = "{task}"
dataset = "{dataset}"
limit = 1
seeds = [0, 1]

[data]
training = "{data}"

[[systems]]
name = "still"
run = "still.toml"

[[systems]]
name = "trained"
run = "run.toml"
training = {{ file = "training.toml", set = ["epochs=1"] }}
"""


@pytest.mark.slow
def test_an_experiment_is_done_once_and_goes_on_where_it_was_broken_off(
    command: Command, tmp_path: Path, brains: Path
) -> None:
    written(tmp_path / "training.toml", brains)
    (tmp_path / "run.toml").write_text(RUN)
    (tmp_path / "still.toml").write_text('[model]\nname = "identity"\n')
    file, out = tmp_path / "experiment.toml", tmp_path / "out"
    task, dataset = brains / "phantom.toml", brains / "PHANTOM_dataset.json"
    file.write_text(FILE.format(task=task, dataset=dataset, data=brains))
    done = command("experiment", file, "--output", out)
    assert done.code == 0
    assert "# Trained, and not" in done.out
    with (out / "table.csv").open() as table:
        rows = {(row["system"], row["metric"]): row for row in csv.DictReader(table)}
    assert rows["trained", "DSC"]["seeds"] == "2"
    assert rows["trained", "DSC"]["cases"] == "1"
    assert float(rows["trained", "DSC"]["training s"]) > 0
    assert rows["still", "DSC"]["training s"] == ""
    with (out / "curves.csv").open() as table:
        curves = {(row["system"], row["curve"]) for row in csv.DictReader(table)}
    assert ("trained", "training similarity") in curves
    record = json.loads((out / "trained/seed-1/training/training.json").read_text())
    assert record["overrides"] == ["epochs=1", "seed=1"]

    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.nii.gz")}
    kept |= {path: path.stat().st_mtime_ns for path in out.rglob("last.safetensors")}
    (out / "trained/seed-1/metrics.json").unlink()
    assert command("experiment", file, "--output", out).out.startswith("# Trained, and not")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (out / "trained/seed-1/metrics.json").is_file()


@pytest.mark.slow
def test_a_job_that_fails_is_named_with_its_system_and_seed(
    command: Command, tmp_path: Path, brains: Path
) -> None:
    written(tmp_path / "training.toml", brains)
    (tmp_path / "run.toml").write_text(RUN)
    (tmp_path / "still.toml").write_text('[model]\nname = "identity"\n')
    file = tmp_path / "experiment.toml"
    task, dataset = brains / "phantom.toml", brains / "PHANTOM_dataset.json"
    text = FILE.format(task=task, dataset=dataset, data=brains)
    file.write_text(text.replace("epochs=1", "epochs=none"))
    done = command("experiment", file, "--output", tmp_path / "out")
    assert done.code == 2
    assert "trained, seed 0: the training ended with code 2 and without" in done.err
    assert "| still |" in (tmp_path / "out" / "table.md").read_text()
