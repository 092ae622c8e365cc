"""What a task's scorer computes."""

import pytest

from eval.protocol import protocol_of
from l2r.errors import TaskError
from l2r.task import Task, load_task, task_names

NDV = {"metric": "ndv", "name": "NDV", "mask": "moving"}
DICE = {"metric": "dice", "name": "DSC"}


def task(**evaluation: object) -> Task:
    return load_task("any").model_copy(update={"evaluation": evaluation})


@pytest.mark.parametrize("name", task_names())
def test_every_task_has_a_protocol(name: str) -> None:
    protocol = protocol_of(load_task(name))
    assert protocol.name
    assert {metric.metric for metric in protocol.metrics} >= {"ndv", "dice", "hd95"}


def test_lumir_asks_for_133_structures_with_the_background_and_for_landmarks() -> None:
    for name, mask in (("lumir24", "moving"), ("lumir25", "fixed")):
        protocol = protocol_of(load_task(name))
        assert len(protocol.labels) == len(set(protocol.labels)) == 133
        assert protocol.labels[0] == 0
        assert protocol.metrics[0].mask == mask
        assert [metric.name for metric in protocol.metrics] == [
            "Non-diffeomorphic Volumes",
            "DSC",
            "HD95",
            "TRE_lm",
        ]


def test_without_labels_those_of_the_fixed_map_count() -> None:
    assert protocol_of(load_task("any")).labels is None


@pytest.mark.parametrize(
    ("evaluation", "fault"),
    [
        ({"name": "X", "metrics": [{"metric": "psnr", "name": "P"}]}, "psnr"),
        ({"name": "X", "metrics": []}, "metrics"),
        ({"name": "X", "metrics": [DICE, DICE]}, "more than one metric is called dsc"),
        ({"name": "X", "metrics": [DICE], "labels": []}, "labels"),
        ({"name": "X", "metrics": [DICE], "labels": [1, 2, 1]}, "labels"),
        ({"name": "X", "metrics": [DICE], "label": [1]}, "label:"),
        ({"name": "X", "metrics": [NDV | {"mask": "both"}]}, "mask"),
        ({"name": "X", "metrics": [{"metric": "ndv", "name": "N"}]}, "mask"),
        ({"metrics": [DICE]}, "name"),
    ],
    ids=str,
)
def test_a_fault_in_the_table_is_one_line_that_names_it(
    evaluation: dict[str, object], fault: str
) -> None:
    with pytest.raises(TaskError) as raised:
        protocol_of(task(**evaluation))
    message = str(raised.value)
    assert message.startswith("task 'any': evaluation: ")
    assert fault in message
    assert "\n" not in message
