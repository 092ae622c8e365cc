"""The protocol of a task's scorer: "Dice" means different things in different tasks."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from eval.metrics.catalog import Metric
from eval.metrics.structural import StructureLabels
from eval.warps import WarpName
from l2r.errors import TaskError
from l2r.pairs import Pair
from l2r.schema import Frozen, parse
from l2r.task import Task


def _distinct_names(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    for name in _repeated(metric.name for metric in metrics):
        raise ValueError(f"more than one metric is called {name}")
    return metrics


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


DistinctMetrics = Annotated[
    tuple[Metric, ...], Field(min_length=1), AfterValidator(_distinct_names)
]
QuantileLevel = Annotated[float, Field(ge=0, le=1)]


class CaseGroup(Frozen):
    """An aggregate over the cases whose fixed subject's number is in a range."""

    name: str
    """Name of the aggregate, for instance `ID_dice`."""
    metric: str
    """Name of the metric."""
    fixed: tuple[int, int]
    """First and last subject number."""

    def holds(self, pair: Pair) -> bool:
        """Tell whether the pair belongs to the group."""
        first, last = self.fixed
        return first <= int(pair.fixed.ids[0]) <= last


class Aggregates(Frozen):
    """Rules by which the values of the cases become one number per metric."""

    non_finite: Literal["spread", "dropped"] = "spread"
    """`spread`: plain statistics, so that one NaN takes all of them; `dropped`: statistics of the
    finite values."""
    worst: dict[str, float] = Field(default_factory=dict)
    """Value that replaces the mean of a metric if that is not finite, by name."""
    quantile: QuantileLevel = 0.3
    """The robust value: this part of the cases is below it."""
    quantiles: dict[str, QuantileLevel] = Field(default_factory=dict)
    """Another one for some metrics, by name."""
    order: Literal["name", "scorer"] = "name"
    """Order in the file: by name, or as the scorer computes them."""
    groups: tuple[CaseGroup, ...] = ()

    def about(self, names: set[str]) -> "Aggregates":
        """The rules that concern some of the metrics."""
        return self.model_copy(
            update={
                "worst": {name: value for name, value in self.worst.items() if name in names},
                "quantiles": {name: part for name, part in self.quantiles.items() if name in names},
                "groups": tuple(group for group in self.groups if group.metric in names),
            }
        )


class Protocol(Frozen):
    """The `[evaluation]` table of a task file."""

    name: str
    """Name that the organisers use."""
    version: str = "2.0"
    """Version of the organisers' scorer, written into `metrics.json`."""
    layout: Literal["learn2reg", "codabench"] = "learn2reg"
    """Layout of a file called `scores.json`: as any other, or Codabench's with its details."""
    warp: WarpName = "map_coordinates"
    """Resampling of label maps, by its word in `eval.warps`."""
    metrics: DistinctMetrics
    """In the scorer's order."""
    labels: StructureLabels | None = None
    """Labels of the structures of Dice and HD95, in the scorer's order; those of each fixed map but
    the background where they are not given."""
    aggregates: Aggregates = Aggregates()

    @model_validator(mode="after")
    def _names_are_known(self) -> "Protocol":
        known = {metric.name for metric in self.metrics}
        over = self.aggregates
        for name in (*over.worst, *over.quantiles, *(group.metric for group in over.groups)):
            if name not in known:
                raise ValueError(f"no metric is called {name}; there are {', '.join(known)}")
        return self


def protocol_of(task: Task) -> Protocol:
    """The protocol of a task.

    Raises:
        TaskError: the task's `[evaluation]` table is faulty.
    """
    return parse(Protocol, task.evaluation, f"task {task.name!r}: evaluation", TaskError)
