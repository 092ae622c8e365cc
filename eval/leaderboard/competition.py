"""The material of a board."""

from dataclasses import dataclass

from eval.leaderboard.published import MetricInfo, PublishedTable
from eval.leaderboard.rules import RankingRule
from eval.leaderboard.store import TaskSubmissions
from eval.protocol import Protocol
from l2r.task import Task


@dataclass(frozen=True)
class Competition:
    """A task, its submissions, and a rule to rank them by."""

    task: Task
    protocol: Protocol
    rule: RankingRule
    loaded: TaskSubmissions
    tables: tuple[PublishedTable, ...] = ()
    only: tuple[str, ...] = ()
    """Metrics to rank by; all that the rule picks if there are none."""

    @property
    def metrics(self) -> list[MetricInfo]:
        """The task's and, after them, those that only published tables have."""
        own = [
            MetricInfo(name=m.name, kind=m.metric, better=m.better, unit=m.unit)
            for m in self.protocol.metrics
        ]
        known = {metric.name for metric in own}
        for table in self.tables:
            for metric in table.columns:
                if metric.name not in known:
                    known.add(metric.name)
                    own.append(metric)
        return [metric for metric in own if not self.only or metric.name in self.only]
