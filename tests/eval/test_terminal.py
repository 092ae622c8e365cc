"""The scores of a submission for people."""

from io import StringIO

from rich.console import Console

from eval.metrics.base import Result
from eval.metrics.dice import Dice
from eval.metrics.hd95 import Hd95
from eval.metrics.tre import Tre
from eval.report import CaseScore, ScoreReport
from eval.terminal import line, table
from tests.eval.reports import make_report

METRICS = (Dice(name="DSC"), Hd95(name="HD95"), Tre(name="TRE_lm"))


def lines(report: ScoreReport, width: int = 1000) -> list[str]:
    out = StringIO()
    Console(file=out, width=width).print(table(report))
    return [text.rstrip() for text in out.getvalue().splitlines()]


def row(report: ScoreReport, start: str) -> list[str]:
    (found,) = [text.split() for text in lines(report) if text.split()[:1] == [start]]
    return found[1:]


REPORT = make_report(
    "LUMIR",
    METRICS,
    (
        CaseScore("a", {"DSC": Result(0.7, (0.7,), unregistered=0.4), "HD95": Result(3.0, (3.0,))}),
        CaseScore("b", {"DSC": Result(0.8, (0.8,), unregistered=0.6), "HD95": Result(5.0, (5.0,))}),
    ),
)


def test_a_row_per_case_then_the_mean_and_what_it_was_without_registration() -> None:
    assert row(REPORT, "a") == ["0.7000", "3.0000"]
    assert row(REPORT, "mean") == ["0.7500", "4.0000"]
    assert row(REPORT, "unregistered") == ["0.5000", "-"]


def test_headings_say_which_direction_is_better_and_the_unit() -> None:
    text = "\n".join(lines(REPORT))
    assert "↑" in text
    assert "↓ voxels" in text


def test_a_metric_that_no_case_has_gets_no_column() -> None:
    assert "TRE_lm" not in "\n".join(lines(REPORT))


def test_a_metric_that_a_case_lacks_leaves_a_gap() -> None:
    mixed = make_report(
        "X",
        METRICS,
        (*REPORT.cases, CaseScore("c", {"TRE_lm": Result(2.0, 2.0, unregistered=4.0)})),
    )
    assert row(mixed, "c") == ["-", "-", "2.0000"]
    assert row(mixed, "a") == ["0.7000", "3.0000", "-"]
    assert row(mixed, "mean") == ["0.7500", "4.0000", "2.0000"]
    assert row(mixed, "unregistered") == ["0.5000", "-", "4.0000"]


def test_names_are_shown_as_they_are_however_long() -> None:
    name = "[bold]" + 150 * "x"
    long = make_report("[red]X", METRICS, (CaseScore(name, REPORT.cases[0].results),))
    assert row(long, name) == ["0.7000", "3.0000"]
    assert "[red]X" in lines(long)[0]


def test_on_a_narrow_terminal_the_headings_wrap_but_not_names_and_numbers() -> None:
    long = "a rather long name of a metric"
    results = {"DSC": Result(0.7, (0.7,)), long: Result(123.0, (123.0,))}
    case = CaseScore("0001_0000<--0002_0000", results)
    shown = lines(make_report("X", (Dice(name="DSC"), Hd95(name=long)), (case,)), width=48)
    assert [text.split() for text in shown if "<--" in text] == [[case.name, "0.7000", "123.0000"]]


def test_a_line_of_news_has_all_means() -> None:
    assert line(REPORT.cases[0]) == "a: DSC 0.7000, HD95 3.0000"
