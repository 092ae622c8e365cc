"""The scores of a submission, and the organisers' `metrics.json` of them.

    {"name": ..., "aggregates": {metric: {"mean", "std", "30"}},
     "cases": {"FFFF_ff<--MMMM_mm": {metric: {"mean", "detailed"}}}, "eval_version": "2.0"}

Whatever is not a number is written as `NaN` or `Infinity`, which strict readers of JSON refuse; the
organisers write them so, and the platform reads them as null.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.metrics.base import MetricBase, Result
from l2r.files import writing

EVAL_VERSION = "2.0"
"""Of the organisers' scorer whose layout this is."""


@dataclass(frozen=True)
class CaseScore:
    """One pair."""

    name: str
    """As the organisers write it, `0001_0000<--0002_0000`."""
    results: dict[str, Result]
    """By the metrics' names, in the protocol's order; only those with ground truth."""


@dataclass(frozen=True)
class Aggregate:
    """A metric over all cases that have it."""

    mean: float
    std: float
    """Of the population: divided by the number of cases."""
    quantile30: float
    """30 % of the cases are below it."""


@dataclass(frozen=True)
class Report:
    """A scored submission."""

    name: str
    """Of the protocol."""
    metrics: tuple[MetricBase, ...]
    cases: tuple[CaseScore, ...]

    def results(self, metric: str) -> list[Result]:
        """Of every case that has the metric."""
        return [case.results[metric] for case in self.cases if metric in case.results]

    def scored(self) -> list[MetricBase]:
        """The protocol's metrics that at least one case has."""
        return [metric for metric in self.metrics if self.results(metric.name)]

    def aggregates(self) -> dict[str, Aggregate]:
        """Every scored metric over its cases, sorted by name."""
        names = sorted(metric.name for metric in self.scored())
        return {name: aggregate([r.mean for r in self.results(name)]) for name in names}

    def unregistered(self, metric: str) -> float | None:
        """Mean of a metric over the same cases for the zero field, where that is known."""
        known = [result.unregistered for result in self.results(metric)]
        there = [value for value in known if value is not None]
        return sum(there) / len(there) if there else None

    def notes(self) -> Iterator[str]:
        """What the means hide, case by case."""
        for case in self.cases:
            for name, result in case.results.items():
                if result.note:
                    yield f"{case.name}: {name}: {result.note}"


def aggregate(means: list[float]) -> Aggregate:
    """Mean, standard deviation and 30 % quantile over cases; one NaN makes all of them NaN.

    Example:
        >>> aggregate([1.0, 2.0, 3.0]).quantile30
        1.6
    """
    with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN, as for the organisers
        return Aggregate(
            float(np.mean(means)), float(np.std(means)), float(np.quantile(means, 0.3))
        )


def write_report(path: Path, report: Report) -> None:
    """Write `metrics.json` in the organisers' layout.

    Raises:
        OutputError: the folder is missing, read-only or full.
    """
    content = {
        "name": report.name,
        "aggregates": {
            name: {"mean": over.mean, "std": over.std, "30": over.quantile30}
            for name, over in report.aggregates().items()
        },
        "cases": {
            case.name: {
                name: {"mean": result.mean, "detailed": result.detailed}
                for name, result in case.results.items()
            }
            for case in report.cases
        },
        "eval_version": EVAL_VERSION,
    }
    with writing(path) as file:
        file.write(json.dumps(content, indent=4, allow_nan=True).encode())
