"""What a rule compares: entries of every team, the greater the better, for each of its metrics."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from eval.leaderboard.published import Metric
from eval.leaderboard.ranking import Measured
from eval.leaderboard.rules import Group, Rule, Selector
from eval.leaderboard.store import Entries, Table


@dataclass(frozen=True)
class Chosen:
    """A metric that a rule picks."""

    metric: Metric
    group: Group
    selector: Selector

    @property
    def name(self) -> str:
        """Of the column."""
        share = self.selector.hardest
        return f"{self.metric.name}, hardest {share:.0%}" if share else self.metric.name


@dataclass(frozen=True)
class Raw:
    """A chosen metric of every team in its own unit; what is undefined or missing is replaced.

    It is infinite, as bad as can be, where the rule has no replacement.
    """

    chosen: Chosen
    values: Float[np.ndarray, "teams entries"]
    cases: Int[np.ndarray, " entries"]
    """Which case each entry is of; a patient's first one where it has several."""

    def measured(self, units: Int[np.ndarray, " cases"]) -> Measured:
        """The greater the better, as the tests want it."""
        sign = 1 if self.chosen.metric.better == "higher" else -1
        return Measured(
            self.chosen.name, self.chosen.group.name, sign * self.values, units[self.cases]
        )


def choose(rule: Rule, metrics: Sequence[Metric]) -> list[Chosen]:
    """Which of some metrics a rule picks, in the rule's order."""
    return [
        Chosen(metric, group, selector)
        for group in rule.groups
        for selector in group.metrics
        for metric in metrics
        if selector.picks(metric.kind, metric.name)
    ]


def weights(chosen: Sequence[Chosen]) -> dict[str, float]:
    """The weight of each column: its group's, shared among the group's metrics; their sum is 1."""
    groups = {choice.group.name: choice.group.weight for choice in chosen}
    total = sum(groups.values())
    members = [choice.group.name for choice in chosen]
    return {
        choice.name: choice.group.weight / total / members.count(choice.group.name)
        for choice in chosen
    }


def measure(rule: Rule, chosen: Sequence[Chosen], entries: Entries) -> Iterator[Raw]:
    """The values of each chosen metric that at least one team has.

    The hardest entries are left out without the rule's baseline.
    """
    names = [entry.name for entry in entries.entries]
    for choice in chosen:
        tables = [entry.tables.get(choice.metric.name) for entry in entries.entries]
        if not any(tables):
            continue
        raw = Raw(choice, *_entries(rule, tables, entries.cases))
        raw = Raw(choice, _replaced(raw, tables), raw.cases)
        if choice.selector.hardest:
            if rule.baseline not in names:
                continue
            raw = _hardest(raw, choice.selector.hardest, names.index(rule.baseline))
        yield raw


def units_of(rule: Rule, cases: Sequence[str]) -> Int[np.ndarray, " cases"]:
    """Which cases are drawn together in a resample, counted from 0."""
    keys = [_patient(case) for case in cases] if rule.unit == "patient" else list(cases)
    order = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([order[key] for key in keys], dtype=np.int64)


def _patient(case: str) -> str:
    """The subjects of a case `FFFF_ff<--MMMM_mm`, without the direction."""
    scans = case.split("<--")
    return "+".join(sorted({scan.partition("_")[0] for scan in scans}))


def _entries(
    rule: Rule, tables: Sequence[Table | None], cases: Sequence[str]
) -> tuple[Float[np.ndarray, "teams entries"], Int[np.ndarray, " entries"]]:
    """Of the cases that at least one team has; NaN where a team has none."""
    there = [table for table in tables if table is not None]
    scored = np.flatnonzero(np.any([table.has for table in there], axis=0))
    width = max(table.labels.shape[1] for table in there)
    if rule.unit == "label" and width:
        grid = np.full((len(tables), len(cases), width), np.nan)
        for team, table in enumerate(tables):
            if table is not None:
                grid[team, :, : table.labels.shape[1]] = table.labels
        return grid[:, scored].reshape(len(tables), -1), np.repeat(scored, width)
    means = np.full((len(tables), len(cases)), np.nan)
    for team, table in enumerate(tables):
        if table is not None:
            means[team] = table.means
    if rule.unit == "patient":
        patients = units_of(rule, cases)
        groups = [scored[patients[scored] == number] for number in np.unique(patients[scored])]
        averaged = [means[:, group].mean(axis=1) for group in groups]
        return np.stack(averaged, axis=1), np.array([group[0] for group in groups])
    return means[:, scored], scored


def _replaced(raw: Raw, tables: Sequence[Table | None]) -> Float[np.ndarray, "teams entries"]:
    selector, values = raw.chosen.selector, raw.values.copy()
    worst = -np.inf if raw.chosen.metric.better == "higher" else np.inf
    for team, table in enumerate(tables):
        if table is None and selector.missing is not None:
            values[team] = selector.missing
    undefined = worst if selector.undefined is None else selector.undefined
    values = np.where(np.isfinite(values), values, undefined)
    return values if selector.floor is None else np.maximum(values, selector.floor)


def _hardest(raw: Raw, share: float, baseline: int) -> Raw:
    """The entries that are worst for the baseline, the same for every team."""
    sign = 1 if raw.chosen.metric.better == "higher" else -1
    count = round(raw.values.shape[1] * share)
    chosen = np.sort(np.argsort(sign * raw.values[baseline], kind="stable")[:count])
    return Raw(raw.chosen, raw.values[:, chosen], raw.cases[chosen])
