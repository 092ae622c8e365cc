"""Reports made of values, without scoring anything."""

from typing import Literal

from eval.metrics.catalog import Metric
from eval.protocol import Aggregates, Protocol
from eval.report import CaseScore, ScoreReport


def make_report(
    name: str,
    metrics: tuple[Metric, ...],
    cases: tuple[CaseScore, ...],
    *,
    rules: Aggregates | None = None,
    layout: Literal["learn2reg", "codabench"] = "learn2reg",
) -> ScoreReport:
    """The report of a protocol that is called `name`."""
    protocol = Protocol(name=name, metrics=metrics, aggregates=rules or Aggregates(), layout=layout)
    return ScoreReport(protocol, cases)
