"""The scores of a submission for people."""

from rich import box
from rich.table import Table
from rich.text import Text

from eval.metrics.base import MetricBase
from eval.plots.numbers import NOTHING
from eval.report import CaseScore, ScoreReport

ARROWS = {"higher": "↑", "lower": "↓"}
_DIGITS = 9
"""Characters of the widest usual number: on a narrow terminal the headings wrap, not those."""


def table(report: ScoreReport) -> Table:
    """One row per case, then the mean, and below it the mean of the same pairs unregistered.

    The last row is filled where a zero field is scored at little cost.
    """
    metrics = report.scored()
    result = Table(title=Text(report.protocol.name), box=box.SIMPLE_HEAD)
    result.add_column("case", no_wrap=True, vertical="bottom")
    for metric in metrics:
        result.add_column(_heading(metric), justify="right", min_width=_DIGITS)
    for case in report.cases:
        means = [case.results[m.name].mean if m.name in case.results else None for m in metrics]
        result.add_row(Text(case.name), *map(_number, means))
    result.add_section()
    aggregates = report.aggregates()
    result.add_row("mean", *(_number(aggregates[m.name].mean) for m in metrics), style="bold")
    result.add_row("unregistered", *(_number(report.unregistered(m.name)) for m in metrics))
    return result


def line(case: CaseScore) -> str:
    """One case as a line of a log."""
    scores = (f"{name} {result.mean:.4f}" for name, result in case.results.items())
    return f"{case.name}: {', '.join(scores)}"


def _heading(metric: MetricBase) -> Text:
    return Text(f"{metric.name}\n{ARROWS[metric.better]} {metric.unit}".rstrip())


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4f}"
