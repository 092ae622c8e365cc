"""The scores of a submission, and the file of them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from eval.metrics.base import Result
from eval.metrics.dice import Dice
from eval.metrics.tre import Tre
from eval.metrics_file import finite, write_json, write_metrics
from eval.protocol import Aggregates, CaseGroup
from eval.report import CaseScore, ScoreReport, aggregate
from l2r.errors import OutputError
from tests.eval.reports import make_report

NAN, INF = math.nan, math.inf


def write(path: Path, made: ScoreReport, *, strict: bool = False) -> None:
    write_metrics(path, made.metrics_file(), strict=strict)


def report(**cases: dict[str, Result]) -> ScoreReport:
    return make_report(
        "LUMIR",
        (Tre(name="TRE_lm"), Dice(name="DSC")),
        tuple(CaseScore(name, results) for name, results in cases.items()),
    )


def test_the_file_has_the_organisers_layout(tmp_path: Path) -> None:
    write(
        tmp_path / "metrics.json",
        report(
            a={"DSC": Result(0.25, (0.25, NAN), unregistered=0.1)},
            b={"DSC": Result(0.75, (0.75, NAN)), "TRE_lm": Result(INF, INF, note="far")},
        ),
    )
    text = (tmp_path / "metrics.json").read_text()
    assert text == (
        """{
    "name": "LUMIR",
    "aggregates": {
        "DSC": {
            "mean": 0.5,
            "std": 0.25,
            "30": 0.4
        },
        "TRE_lm": {
            "mean": Infinity,
            "std": NaN,
            "30": NaN
        }
    },
    "cases": {
        "a": {
            "DSC": {
                "mean": 0.25,
                "detailed": [
                    0.25,
                    NaN
                ]
            }
        },
        "b": {
            "DSC": {
                "mean": 0.75,
                "detailed": [
                    0.75,
                    NaN
                ]
            },
            "TRE_lm": {
                "mean": Infinity,
                "detailed": Infinity
            }
        }
    },
    "eval_version": "2.0"
}"""
    )


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ([2.0], (2.0, 0.0, 2.0)),
        ([1.0, 3.0], (2.0, 1.0, 1.6)),
        ([1.0, NAN], (NAN, NAN, NAN)),
        ([1.0, 2.0, 3.0, INF], (INF, NAN, 1.9)),
    ],
    ids=str,
)
def test_what_is_not_a_number_spreads(
    means: list[float], expected: tuple[float, float, float]
) -> None:
    over = aggregate(means)
    np.testing.assert_allclose((over.mean, over.std, over.quantile30), expected)


def test_aggregates_are_sorted_and_skip_metrics_without_a_case() -> None:
    both = report(a={"TRE_lm": Result(1.0, 1.0), "DSC": Result(1.0, (1.0,))})
    assert list(both.aggregates()) == ["DSC", "TRE_lm"]
    assert [metric.name for metric in both.scored()] == ["TRE_lm", "DSC"]
    assert list(report(a={"DSC": Result(1.0, (1.0,))}).aggregates()) == ["DSC"]


def test_what_it_was_without_registration_is_a_mean_over_the_cases_that_know() -> None:
    some = report(
        a={"DSC": Result(0.8, (0.8,), unregistered=0.5), "TRE_lm": Result(1.0, 1.0)},
        b={"DSC": Result(0.8, (0.8,), unregistered=0.7)},
        c={"DSC": Result(0.8, (0.8,))},
    )
    assert some.unregistered("DSC") == pytest.approx(0.6)
    assert some.unregistered("TRE_lm") is None


def test_a_note_says_where_it_belongs() -> None:
    noted = report(a={"DSC": Result(1.0, (1.0,))}, b={"TRE_lm": Result(NAN, NAN, note="gone")})
    assert list(noted.notes()) == ["b: TRE_lm: gone"]


def test_a_file_that_cannot_be_written_is_reported_and_the_old_one_stays(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        write(tmp_path / "nowhere" / "metrics.json", report())
    kept = tmp_path / "metrics.json"
    kept.write_text("old")
    with pytest.raises(TypeError):
        write_json(kept, {"a": 1.0, "b": {1.0}}, strict=False)  # a set is no JSON: dies half-way
    assert kept.read_text() == "old"
    assert list(tmp_path.iterdir()) == [kept]


def test_it_can_be_read_back(tmp_path: Path) -> None:
    write(tmp_path / "m.json", report(a={"DSC": Result(1 / 3, (1 / 3, NAN))}))
    read = json.loads((tmp_path / "m.json").read_text())
    assert read["cases"]["a"]["DSC"]["mean"] == 1 / 3
    assert math.isnan(read["cases"]["a"]["DSC"]["detailed"][1])


def grouped(rules: Aggregates, *means: float) -> dict[str, tuple[float, float, float]]:
    cases = tuple(
        CaseScore(str(place), {"DSC": Result(mean, (mean,))}, ("odd",) if place % 2 else ())
        for place, mean in enumerate(means)
    )
    over = make_report("X", (Dice(name="DSC"),), cases, rules=rules).aggregates()
    return {name: (a.mean, a.std, a.quantile30) for name, a in over.items()}


ODD = CaseGroup(name="odd", metric="DSC", fixed=(0, 0))


@pytest.mark.parametrize(
    ("rules", "means", "expected"),
    [
        (Aggregates(), [1, 3], {"DSC": (2, 1, 1.6)}),
        (Aggregates(quantile=0.7), [1, 3], {"DSC": (2, 1, 2.4)}),
        (Aggregates(quantiles={"DSC": 0.7}), [1, 3], {"DSC": (2, 1, 2.4)}),
        (
            Aggregates(groups=(ODD,)),
            [1, 3, 5, 9],
            {"DSC": (4.5, 8.75**0.5, 2.8), "odd": (6, 3, 4.8)},
        ),
        (Aggregates(groups=(ODD,)), [1], {"DSC": (1, 0, 1)}),
        (Aggregates(), [1, NAN], {"DSC": (NAN, NAN, NAN)}),
        (Aggregates(non_finite="dropped"), [1, NAN, 3, INF], {"DSC": (2, 1, 1.6)}),
        (Aggregates(non_finite="dropped"), [NAN], {"DSC": (NAN, NAN, NAN)}),
        (Aggregates(non_finite="dropped", worst={"DSC": 0}), [NAN], {"DSC": (0, NAN, NAN)}),
        (Aggregates(worst={"DSC": 0}), [1, NAN], {"DSC": (0, NAN, NAN)}),
        (Aggregates(worst={"DSC": 0}), [1, 3], {"DSC": (2, 1, 1.6)}),
    ],
    ids=str,
)
def test_a_protocols_rules_for_aggregates(
    rules: Aggregates, means: list[float], expected: dict[str, tuple[float, float, float]]
) -> None:
    found = grouped(rules, *map(float, means))
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values)


def test_aggregates_may_stand_in_the_scorers_order() -> None:
    case = CaseScore("a", {"TRE_lm": Result(1.0, 1.0), "DSC": Result(1.0, (1.0,))})
    metrics = (Tre(name="TRE_lm"), Dice(name="DSC"))
    ordered = make_report("X", metrics, (case,), rules=Aggregates(order="scorer"))
    assert list(ordered.aggregates()) == ["TRE_lm", "DSC"]


def test_strict_json_has_null_for_what_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    spoilt = report(a={"DSC": Result(0.5, (0.5, NAN)), "TRE_lm": Result(INF, -INF)})
    write(path, spoilt, strict=True)
    read = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert read["cases"]["a"] == {
        "DSC": {"mean": 0.5, "detailed": [0.5, None]},
        "TRE_lm": {"mean": None, "detailed": None},
    }
    assert read["aggregates"]["DSC"]["mean"] == 0.5
    write(path, spoilt)
    assert math.isinf(json.loads(path.read_text())["cases"]["a"]["TRE_lm"]["mean"])


def test_only_numbers_that_are_not_finite_become_none() -> None:
    content = {"a": [1, "nan", None, True, NAN], "b": {"c": (0.5, -INF)}}
    assert finite(content) == {"a": [1, "nan", None, True, None], "b": {"c": [0.5, None]}}
