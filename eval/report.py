"""The scores of a submission, and the organisers' `metrics.json` of them.

    {"name": ..., "aggregates": {metric or group: {"mean", "std", "30"}},
     "cases": {"FFFF_ff<--MMMM_mm": {metric: {"mean", "detailed"}}}, "eval_version": "2.0"}

Whatever is not a number is written as `NaN` or `Infinity`, which strict readers of JSON refuse; the
organisers write them so, and the platform reads them as null. Strictly, they are null at once.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from eval.metrics.base import MetricBase, Result
from eval.protocol import Aggregates
from l2r.disk import writing

PLAIN = Aggregates()


@dataclass(frozen=True)
class CaseScore:
    """One pair."""

    name: str
    """As the organisers write it, `0001_0000<--0002_0000`."""
    results: dict[str, Result]
    """By the metrics' names, in the protocol's order; only those with ground truth."""
    groups: tuple[str, ...] = ()
    """Names of the aggregates over some cases that it belongs to."""
    warnings: tuple[str, ...] = ()
    """What is odd about its ground truth."""


@dataclass(frozen=True)
class Aggregate:
    """A metric over all cases that have it."""

    mean: float
    std: float
    """Of the population: divided by the number of cases."""
    quantile30: float
    """30 % of the cases are below it, unless the protocol has another part."""


@dataclass(frozen=True)
class Report:
    """A scored submission."""

    name: str
    """Of the protocol."""
    metrics: tuple[MetricBase, ...]
    cases: tuple[CaseScore, ...]
    rules: Aggregates = PLAIN
    version: str = "2.0"
    """Of the organisers' scorer whose layout the file has."""
    layout: Literal["learn2reg", "codabench"] = "learn2reg"

    def results(self, metric: str) -> list[Result]:
        """Of every case that has the metric."""
        return [case.results[metric] for case in self.cases if metric in case.results]

    def scored(self) -> list[MetricBase]:
        """The protocol's metrics that at least one case has."""
        return [metric for metric in self.metrics if self.results(metric.name)]

    def aggregates(self) -> dict[str, Aggregate]:
        """Every scored metric over its cases, then the groups that have cases."""
        names = [metric.name for metric in self.scored()]
        if self.rules.order == "name":
            names.sort()
        over = {name: self._aggregate(name, self.cases) for name in names}
        for group in self.rules.groups:
            members = [case for case in self.cases if group.name in case.groups]
            if any(group.metric in case.results for case in members):
                over[group.name] = self._aggregate(group.metric, members)
        return over

    def _aggregate(self, metric: str, cases: Sequence[CaseScore]) -> Aggregate:
        means = [case.results[metric].mean for case in cases if metric in case.results]
        if self.rules.non_finite == "dropped":
            means = [mean for mean in means if math.isfinite(mean)]
        over = aggregate(means, self.rules.quantiles.get(metric, self.rules.quantile))
        worst = self.rules.worst.get(metric)
        if worst is None or math.isfinite(over.mean):
            return over
        return replace(over, mean=worst)

    def unregistered(self, metric: str) -> float | None:
        """Mean of a metric over the same cases for the zero field, where that is known."""
        known = [result.unregistered for result in self.results(metric)]
        there = [value for value in known if value is not None]
        return sum(there) / len(there) if there else None

    def notes(self) -> Iterator[str]:
        """What the means hide, case by case."""
        for case in self.cases:
            yield from (f"{case.name}: {warning}" for warning in case.warnings)
            for name, result in case.results.items():
                if result.note:
                    yield f"{case.name}: {name}: {result.note}"


def aggregate(means: list[float], quantile: float = 0.3) -> Aggregate:
    """Mean, standard deviation and a quantile over cases; one NaN makes all of them NaN.

    Example:
        >>> aggregate([1.0, 2.0, 3.0]).quantile30
        1.6
    """
    if not means:
        return Aggregate(math.nan, math.nan, math.nan)
    with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN, as for the organisers
        return Aggregate(
            float(np.mean(means)), float(np.std(means)), float(np.quantile(means, quantile))
        )


def write_report(path: Path, report: Report, *, strict: bool = False) -> None:
    """Write `metrics.json` in the organisers' layout.

    Args:
        path: of the file.
        report: what was scored.
        strict: null for what is not a number, as JSON has it, instead of `NaN` and `Infinity`.

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
        "eval_version": report.version,
    }
    write_json(path, content, strict=strict)


def write_json(path: Path, content: object, *, strict: bool) -> None:
    """Write JSON, atomically.

    Raises:
        OutputError: the folder is missing, read-only or full.
    """
    if strict:
        content = finite(content)
    with writing(path) as file:
        file.write(json.dumps(content, indent=4, allow_nan=not strict).encode())


def finite(content: object) -> object:
    """The same, with None for every number that is not finite.

    Example:
        >>> finite({"mean": float("inf"), "detailed": (1.0, float("nan"))})
        {'mean': None, 'detailed': [1.0, None]}
    """
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
