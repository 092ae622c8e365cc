"""The scores of a submission: per case, and over the cases."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.metrics.base import Result
from eval.metrics.catalog import Metric
from eval.metrics_file import MetricAggregate, MetricScore, MetricsFile
from eval.protocol import Protocol


@dataclass(frozen=True)
class CaseScore:
    """The scores of one pair."""

    name: str
    """Name that the organisers use, `0001_0000<--0002_0000`."""
    results: dict[str, Result]
    """By the metrics' names, in the protocol's order; only those with ground truth."""
    groups: tuple[str, ...] = ()
    """Names of the aggregates over some cases that it belongs to."""
    warnings: tuple[str, ...] = ()
    """Warnings about its ground truth."""


@dataclass(frozen=True)
class Aggregate:
    """A metric over all cases that have it."""

    mean: float
    std: float
    """Standard deviation of the population: divided by the number of cases."""
    quantile30: float
    """30 % of the cases are below it, unless the protocol has another part."""


@dataclass(frozen=True)
class ScoreReport:
    """A scored submission."""

    protocol: Protocol
    cases: tuple[CaseScore, ...]

    def results(self, metric: str) -> list[Result]:
        """Results of every case that has the metric."""
        return [case.results[metric] for case in self.cases if metric in case.results]

    def scored(self) -> list[Metric]:
        """The protocol's metrics that at least one case has."""
        return [metric for metric in self.protocol.metrics if self.results(metric.name)]

    def aggregates(self) -> dict[str, Aggregate]:
        """Every scored metric over its cases, then the groups that have cases."""
        rules = self.protocol.aggregates
        names = [metric.name for metric in self.scored()]
        if rules.order == "name":
            names.sort()
        over = {name: self._aggregate(name, self.cases) for name in names}
        for group in rules.groups:
            members = [case for case in self.cases if group.name in case.groups]
            if any(group.metric in case.results for case in members):
                over[group.name] = self._aggregate(group.metric, members)
        return over

    def _aggregate(self, metric: str, cases: Sequence[CaseScore]) -> Aggregate:
        rules = self.protocol.aggregates
        means = [case.results[metric].mean for case in cases if metric in case.results]
        if rules.non_finite == "dropped":
            means = [mean for mean in means if math.isfinite(mean)]
        over = aggregate(means, rules.quantiles.get(metric, rules.quantile))
        worst = rules.worst.get(metric)
        if worst is None or math.isfinite(over.mean):
            return over
        return replace(over, mean=worst)

    def unregistered(self, metric: str) -> float | None:
        """Mean of a metric over the same cases for the zero field, where that is known."""
        known = [result.unregistered for result in self.results(metric)]
        values = [value for value in known if value is not None]
        return sum(values) / len(values) if values else None

    def notes(self) -> Iterator[str]:
        """Notes on the cases, on values that the means hide."""
        for case in self.cases:
            yield from (f"{case.name}: {warning}" for warning in case.warnings)
            for name, result in case.results.items():
                if result.note:
                    yield f"{case.name}: {name}: {result.note}"

    def metrics_file(self) -> MetricsFile:
        """The content of the organisers' `metrics.json`."""
        return MetricsFile(
            name=self.protocol.name,
            aggregates={
                name: MetricAggregate(mean=over.mean, std=over.std, quantile=over.quantile30)
                for name, over in self.aggregates().items()
            },
            cases={
                case.name: {name: _filed(result) for name, result in case.results.items()}
                for case in self.cases
            },
            eval_version=self.protocol.version,
        )


def _filed(result: Result) -> MetricScore:
    detailed = result.detailed
    return MetricScore(
        mean=result.mean, detailed=[*detailed] if isinstance(detailed, tuple) else detailed
    )


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
