"""The table of an experiment."""

import csv
from pathlib import Path

import pytest

from pipeline.experiment.config import ComparedSystem, ExperimentConfig
from pipeline.experiment.results import CurvePoint, RunResult
from pipeline.experiment.tables import cells, write_tables

CONFIG = ExperimentConfig(
    title="Two systems",
    task="aseg",
    dataset=Path("pairs.json"),
    seeds=(0, 1),
    systems=tuple(ComparedSystem(name=name, run=Path("run.toml")) for name in ("one", "other")),
)


def result(system: str, seed: int, dice: dict[str, float], **more: float) -> RunResult:
    return RunResult(system, seed, {"DSC": dice}, 2.0, 1.5, **more)


RESULTS = [
    result("one", 0, {"a": 0.5, "b": 0.6}),
    result("other", 0, {"a": 0.6, "b": 0.8}, training_seconds=100.0, training_memory_gib=3.0),
    result("one", 1, {"a": 0.7, "b": 0.6}),
    result("other", 1, {"a": 0.8, "b": 0.8}, training_seconds=120.0, training_memory_gib=4.0),
]


def test_a_cell_is_the_mean_of_seeds_and_the_reference_is_not_tested() -> None:
    one, other = cells(CONFIG, RESULTS)
    assert (one.system, one.mean.mean, one.tests) == ("one", pytest.approx(0.6), None)
    assert other.mean.mean == pytest.approx(0.75)
    assert other.tests is not None
    assert other.tests.difference == pytest.approx(0.15)
    assert (other.cases, other.mean.seeds) == (2, 2)


def test_files_hold_what_the_cells_say(tmp_path: Path) -> None:
    points = [CurvePoint("other", 0, "training similarity", 1, -0.25)]
    text = write_tables(CONFIG, RESULTS, points, tmp_path)
    assert (tmp_path / "table.md").read_text() == text
    rows = [line for line in text.splitlines() if line.startswith("| o")]
    assert rows[0].startswith("| one | 0.6000 ± ")
    assert rows[0].endswith("| - | 2.0 | -, 1.50 |")
    assert rows[1].endswith("| 110 | 2.0 | 4.00, 1.50 |")
    with (tmp_path / "table.csv").open() as file:
        one, other = csv.DictReader(file)
    assert (one["difference"], one["training s"]) == ("", "")
    assert float(other["difference"]) == pytest.approx(0.15)
    assert float(other["training s"]) == 110
    with (tmp_path / "curves.csv").open() as file:
        (point,) = csv.DictReader(file)
    assert point == {
        "system": "other", "seed": "0", "curve": "training similarity", "place": "1",
        "value": "-0.25",
    }  # fmt: skip


def test_systems_that_are_not_done_yet_have_no_row(tmp_path: Path) -> None:
    text = write_tables(CONFIG, RESULTS[:1], [], tmp_path)
    assert "| one | 0.5500 |" in text
    assert "| other" not in text
