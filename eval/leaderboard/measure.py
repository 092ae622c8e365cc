"""Values of every team that a rule compares, for each of its metrics."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from eval.leaderboard.pairwise import OrientedValues
from eval.leaderboard.published import MetricInfo
from eval.leaderboard.rules import MetricGroup, MetricSelector, RankingRule
from eval.leaderboard.store import MetricTable, TaskSubmissions


@dataclass(frozen=True)
class RankedMetric:
    """A metric that a rule picks."""

    info: MetricInfo
    group: MetricGroup
    selector: MetricSelector

    @property
    def name(self) -> str:
        """Name of the column."""
        share = self.selector.hardest
        return f"{self.info.name}, hardest {share:.0%}" if share else self.info.name

    @property
    def sign(self) -> int:
        """The factor that makes greater values better."""
        return 1 if self.info.better == "higher" else -1


@dataclass(frozen=True)
class MetricValues:
    """A ranked metric of every team in its own unit, without undefined or missing values.

    They are replaced as the rule says, or else infinite: as bad as can be.
    """

    metric: RankedMetric
    values: Float[np.ndarray, "teams entries"]
    cases: Int[np.ndarray, " entries"]
    """The case of each entry; a patient's first one where it has several."""

    def oriented(self, units: Int[np.ndarray, " cases"]) -> OrientedValues:
        """The values with the sign that makes the greater the better."""
        metric = self.metric
        return OrientedValues(
            metric.name, metric.group.name, metric.sign * self.values, units[self.cases]
        )


def choose(rule: RankingRule, metrics: Sequence[MetricInfo]) -> list[RankedMetric]:
    """Pick the metrics of a rule, in the rule's order."""
    return [
        RankedMetric(metric, group, selector)
        for group in rule.groups
        for selector in group.metrics
        for metric in metrics
        if selector.picks(metric.kind, metric.name)
    ]


def weights(ranked: Sequence[RankedMetric]) -> dict[str, float]:
    """The weight of each column: its group's, shared among the group's metrics; their sum is 1."""
    groups = {metric.group.name: metric.group.weight for metric in ranked}
    total = sum(groups.values())
    members = [metric.group.name for metric in ranked]
    return {
        metric.name: metric.group.weight / total / members.count(metric.group.name)
        for metric in ranked
    }


def measure(
    rule: RankingRule, ranked: Sequence[RankedMetric], loaded: TaskSubmissions
) -> Iterator[MetricValues]:
    """The values of each ranked metric that at least one team has.

    The hardest entries are left out without the rule's baseline.
    """
    names = [submission.name for submission in loaded.submissions]
    for metric in ranked:
        tables = [submission.tables.get(metric.info.name) for submission in loaded.submissions]
        if not any(tables):
            continue
        values, cases = _entries(rule, tables, loaded.cases)
        found = MetricValues(metric, _replaced(metric, values, tables), cases)
        if metric.selector.hardest:
            if rule.baseline not in names:
                continue
            found = _hardest(found, metric.selector.hardest, names.index(rule.baseline))
        yield found


def units_of(rule: RankingRule, cases: Sequence[str]) -> Int[np.ndarray, " cases"]:
    """Number the cases from 0; those that are drawn together in a resample have one number."""
    keys = [_patient(case) for case in cases] if rule.unit == "patient" else list(cases)
    order = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([order[key] for key in keys], dtype=np.int64)


def _patient(case: str) -> str:
    """The subjects of a case `FFFF_ff<--MMMM_mm`, the same for both directions."""
    scans = case.split("<--")
    return "+".join(sorted({scan.partition("_")[0] for scan in scans}))


def _entries(
    rule: RankingRule, tables: Sequence[MetricTable | None], cases: Sequence[str]
) -> tuple[Float[np.ndarray, "teams entries"], Int[np.ndarray, " entries"]]:
    """The entries of cases that at least one team has; NaN where a team has none."""
    present = [table for table in tables if table is not None]
    scored = np.flatnonzero(np.any([table.has for table in present], axis=0))
    width = max(table.labels.shape[1] for table in present)
    if rule.unit == "label" and width:
        grid = np.full((len(tables), len(cases), width), np.nan)
        for team, table in enumerate(tables):
            if table is not None:
                grid[team, :, : table.labels.shape[1]] = table.labels
        return grid[:, scored].reshape(len(tables), -1), np.repeat(scored, width)
    nothing = np.full(len(cases), np.nan)
    means = np.stack([nothing if table is None else table.means for table in tables])
    if rule.unit == "patient":
        return _by_patient(means, scored, units_of(rule, cases))
    return means[:, scored], scored


def _by_patient(
    means: Float[np.ndarray, "teams cases"],
    scored: Int[np.ndarray, " scored"],
    patients: Int[np.ndarray, " cases"],
) -> tuple[Float[np.ndarray, "teams entries"], Int[np.ndarray, " entries"]]:
    """The mean over the scored cases of each patient, and the first of these cases."""
    groups = [scored[patients[scored] == number] for number in np.unique(patients[scored])]
    averaged = [means[:, group].mean(axis=1) for group in groups]
    return np.stack(averaged, axis=1), np.array([group[0] for group in groups])


def _replaced(
    metric: RankedMetric,
    values: Float[np.ndarray, "teams entries"],
    tables: Sequence[MetricTable | None],
) -> Float[np.ndarray, "teams entries"]:
    """Values in which the rule's replacements stand for what is undefined or missing."""
    selector, replaced = metric.selector, values.copy()
    for team, table in enumerate(tables):
        if table is None and selector.missing is not None:
            replaced[team] = selector.missing
    undefined = -metric.sign * np.inf if selector.undefined is None else selector.undefined
    replaced = np.where(np.isfinite(replaced), replaced, undefined)
    return replaced if selector.floor is None else np.maximum(replaced, selector.floor)


def _hardest(found: MetricValues, share: float, baseline: int) -> MetricValues:
    """The entries that are worst for the baseline, the same for every team."""
    count = round(found.values.shape[1] * share)
    order = np.argsort(found.metric.sign * found.values[baseline], kind="stable")
    worst = np.sort(order[:count])
    return MetricValues(found.metric, found.values[:, worst], found.cases[worst])
