"""Scores as tables for analysis, and in the layout of Codabench."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from eval.metrics.base import Result
from eval.metrics.dice import Dice
from eval.metrics.key_points import KeyPoints
from eval.metrics.tre import Tre
from eval.protocol import Aggregates
from eval.report import CaseScore
from eval.scores_files import check_output, long_table, write_scores
from eval.scoring import score_submission
from l2r.errors import OutputError
from l2r.formats.volumes import read_labels
from tests.eval.conftest import Phantom
from tests.eval.reports import make_report

NAN, INF = math.nan, math.inf
IDS = (0, 7, 3)
REPORT = make_report(
    "LUMIR",
    (Tre(name="TRE_lm"), Dice(name="DSC")),
    (
        CaseScore("a<--b", {"DSC": Result(0.5, (0.25, NAN, 0.75), IDS)}),
        CaseScore("b<--a", {"TRE_lm": Result(INF, INF), "DSC": Result(0.1, 3 * (0.1,), IDS)}),
    ),
)
ROWS = [
    ("team", "lumir24", "a<--b", "DSC", "", None, 0.5),
    ("team", "lumir24", "a<--b", "DSC", "", "0", 0.25),
    ("team", "lumir24", "a<--b", "DSC", "", "7", NAN),
    ("team", "lumir24", "a<--b", "DSC", "", "3", 0.75),
    ("team", "lumir24", "b<--a", "TRE_lm", "voxels", None, INF),
    ("team", "lumir24", "b<--a", "DSC", "", None, 0.1),
    *(("team", "lumir24", "b<--a", "DSC", "", label, 0.1) for label in ("0", "7", "3")),
]
NAMES = ["submission", "task", "case", "metric", "unit", "label", "value"]


def same(found: list[tuple[object, ...]]) -> bool:
    return list(map(repr, found)) == list(map(repr, ROWS))


def test_the_long_table_has_a_line_per_case_metric_and_structure(tmp_path: Path) -> None:
    write_scores(tmp_path / "s.csv", REPORT, "team", "lumir24")
    with (tmp_path / "s.csv").open(newline="") as file:
        names, *rows = csv.reader(file)
    assert names == NAMES
    assert same([(*row[:5], row[5] or None, float(row[6])) for row in rows])


def test_parquet_holds_the_same_with_types(tmp_path: Path) -> None:
    write_scores(tmp_path / "s.parquet", REPORT, "team", "lumir24")
    table = parquet.read_table(tmp_path / "s.parquet")
    assert table.column_names == NAMES
    assert [str(kind) for kind in table.schema.types] == [*6 * ["string"], "double"]
    assert same([tuple(row.values()) for row in table.to_pylist()])


def test_no_case_is_an_empty_table(tmp_path: Path) -> None:
    empty = make_report("X", REPORT.protocol.metrics, ())
    write_scores(tmp_path / "s.parquet", empty, "team", "x")
    assert parquet.read_table(tmp_path / "s.parquet").num_rows == 0


def test_structures_have_their_ids_where_the_protocol_names_none(phantom: Phantom) -> None:
    open_ended = {k: v for k, v in phantom.task.evaluation.items() if k != "labels"}
    task = phantom.task.model_copy(update={"evaluation": open_ended})
    report = score_submission(phantom.submission, task, phantom.pairs, phantom.folder)
    scored = [case for case in report.cases if "DSC" in case.results]
    assert scored
    for case in scored:
        fixed = read_labels(phantom.folder / f"labelsVal/PHANTOM_{case.name[:9]}.nii.gz")
        for metric in ("DSC", "HD95"):
            one = [row for row in long_table(report, "team", "x") if row.case == case.name]
            labels = [row.label for row in one if row.metric == metric]
            assert labels == [None, *map(str, np.unique(fixed)[1:])]


def test_points_are_counted() -> None:
    case = CaseScore("a", {"TRE_kp": Result(2.0, (1.0, 2.0, 3.0))})
    report = make_report("X", (KeyPoints(name="TRE_kp"),), (case,))
    found = [(score.label, score.unit) for score in long_table(report, "team", "x")]
    assert found == [(None, "mm"), ("#1", "mm"), ("#2", "mm"), ("#3", "mm")]


def test_codabench_gets_scores_and_details_in_strict_json(tmp_path: Path) -> None:
    rules = Aggregates(non_finite="dropped", worst={"DSC": 0.0, "TRE_lm": 1e6}, order="scorer")
    report = make_report(
        "PSMAReg", REPORT.protocol.metrics, REPORT.cases, rules=rules, layout="codabench"
    )
    write_scores(tmp_path / "scores.json", report, "team", "psmareg26")
    assert json.loads((tmp_path / "scores.json").read_text()) == {"TRE_lm": 1e6, "DSC": 0.3}
    text = (tmp_path / "detailed_results.json").read_text()
    assert "NaN" not in text
    details = json.loads(text)
    assert details["summary"]["TRE_lm"] == {
        "count": 1,
        "finite_count": 0,
        "non_finite_count": 1,
        **dict.fromkeys(("mean", "std", "median", "min", "max")),
    }
    dice = details["summary"]["DSC"]
    assert (dice["mean"], dice["std"], dice["median"]) == pytest.approx((0.3, 0.2, 0.3))
    assert (dice["min"], dice["max"]) == (0.1, 0.5)
    assert details["per_subject"][1] == {"subject_id": "b<--a", "TRE_lm": None, "DSC": 0.1}
    write_scores(tmp_path / "metrics.json", report, "team", "psmareg26")
    assert list(json.loads((tmp_path / "metrics.json").read_text())["cases"]) == ["a<--b", "b<--a"]


@pytest.mark.parametrize(
    ("names", "subjects"),
    [
        (["0001_00<--0001_01", "0003_00<--0003_01"], ["0001", "0003"]),
        (["0001_00<--0001_01", "0001_01<--0001_00"], ["0001_00<--0001_01", "0001_01<--0001_00"]),
    ],
)
def test_codabench_calls_cases_by_their_subjects_as_long_as_these_are_distinct(
    names: list[str], subjects: list[str], tmp_path: Path
) -> None:
    cases = tuple(CaseScore(name, {"DSC": Result(0.5, (0.5,))}) for name in names)
    report = make_report("PSMAReg", REPORT.protocol.metrics, cases, layout="codabench")
    write_scores(tmp_path / "scores.json", report, "team", "psmareg26")
    details = json.loads((tmp_path / "detailed_results.json").read_text())
    assert [row["subject_id"] for row in details["per_subject"]] == subjects


@pytest.mark.parametrize("name", ["scores.xlsx", "scores", "nowhere/scores.csv"])
def test_a_file_that_cannot_be_is_refused_early(name: str, tmp_path: Path) -> None:
    problem = "does not exist" if "/" in name else r"written as \.json, \.csv, \.parquet"
    with pytest.raises(OutputError, match=problem):
        check_output(tmp_path / name)
    with pytest.raises(OutputError, match=problem):
        write_scores(tmp_path / name, REPORT, "team", "x")
    assert list(tmp_path.iterdir()) == []
