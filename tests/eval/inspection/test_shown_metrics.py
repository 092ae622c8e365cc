"""Metrics of a report beyond those of the task."""

from eval.inspection.shown_metrics import shown_metrics
from eval.protocol import protocol_of
from l2r.task import load_task


def test_a_task_keeps_its_own_and_gets_what_it_lacks() -> None:
    own = protocol_of(load_task("aseg"))
    shown = shown_metrics(own)
    assert shown[: len(own.metrics)] == own.metrics
    assert [metric.metric for metric in shown] == ["ndv", "dice", "hd95", "assd", "lncc"]
    assert [metric.unit for metric in shown if metric.metric == "hd95"] == ["voxels"]


def test_no_name_is_used_twice_in_any_task() -> None:
    for task in ("lumir24", "lumir25", "oasis", "aseg"):
        names = [metric.name for metric in shown_metrics(protocol_of(load_task(task)))]
        assert len(set(names)) == len(names)
