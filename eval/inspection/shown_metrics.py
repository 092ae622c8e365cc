"""The metrics of a report: the task's own, and what every registration is looked at by."""

from typing import ClassVar

from eval.metrics.assd import MeanSurfaceDistance
from eval.metrics.catalog import Metric
from eval.metrics.hd95 import Hd95
from eval.metrics.lncc import LnccMetric
from eval.protocol import Protocol


class QuickLncc(LnccMetric):
    """Local correlation in the windows of every third plane, within 1e-4 of all windows' mean."""

    every: ClassVar[int] = 3


COMMON: tuple[Metric, ...] = (
    Hd95(name="HD95", unit="mm"),
    MeanSurfaceDistance(name="ASSD", unit="mm"),
    QuickLncc(name="LNCC"),
)


def shown_metrics(protocol: Protocol) -> tuple[Metric, ...]:
    """The task's metrics, then the common ones of kinds that it lacks."""
    kinds = {metric.metric for metric in protocol.metrics}
    return (*protocol.metrics, *(metric for metric in COMMON if metric.metric not in kinds))
