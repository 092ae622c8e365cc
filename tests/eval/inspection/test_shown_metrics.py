"""Metrics of a report beyond those of the task."""

from pathlib import Path

import pytest

from eval.inspection.shown_metrics import QuickLncc, shown_metrics
from eval.metrics.lncc import local_correlation, normalised
from eval.protocol import protocol_of
from l2r.formats.volumes import read_image
from l2r.task import load_task

IMAGES = Path(__file__).parents[3] / "sample" / "imagesVal"


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


@pytest.mark.slow
def test_a_third_of_the_windows_tells_the_mean_of_all() -> None:
    fixed, other = (
        normalised(read_image(IMAGES / f"SAMPLE_{number:04}_0000.nii.gz").array)
        for number in (1, 2)
    )
    some = local_correlation(fixed, other, 9, QuickLncc.every)
    assert some == pytest.approx(local_correlation(fixed, other, 9), abs=1e-4)  # as it promises
