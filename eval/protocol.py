"""What a task's scorer computes. "Dice" and its kin mean different things in different tasks."""

from typing import Annotated

from pydantic import AfterValidator, Field

from eval.metrics.catalog import Metric
from l2r.errors import TaskError
from l2r.schema import Frozen, parse
from l2r.task import Task


def _distinct_names(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"more than one metric is called {name}")
    return metrics


def _distinct(labels: tuple[int, ...]) -> tuple[int, ...]:
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"{label} stands more than once")
    return labels


Metrics = Annotated[tuple[Metric, ...], Field(min_length=1), AfterValidator(_distinct_names)]
Labels = Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_distinct)]


class Protocol(Frozen):
    """The `[evaluation]` table of a task file."""

    name: str
    """How the organisers call it."""
    metrics: Metrics
    """In the scorer's order."""
    labels: Labels | None = None
    """The structures of Dice and HD95, in the scorer's order; those of each fixed map but the
    background where they are not given."""


def protocol_of(task: Task) -> Protocol:
    """The protocol of a task.

    Raises:
        TaskError: the task's `[evaluation]` table is faulty.
    """
    return parse(Protocol, task.evaluation, f"task {task.name!r}: evaluation", TaskError)
