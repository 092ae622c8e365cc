"""Rules for every task file, and facts from the challenges' own pages."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from eval.protocol import protocol_of
from l2r.errors import DatasetError
from l2r.pairs import Pair, Scan
from l2r.submission import field_names
from l2r.task import TASKS, Container, Task, load_task, task_names

TASKS_BY_NAME = {name: load_task(name) for name in task_names()}


def tasks(condition: Callable[[Task], bool] = lambda _: True) -> pytest.MarkDecorator:
    """Run a test for every task that fulfils a condition."""
    chosen = [task for task in TASKS_BY_NAME.values() if condition(task)]
    return pytest.mark.parametrize("task", chosen, ids=lambda task: task.name)


LUMIR_IDS = (
    "0, 4, 11, 23, 30-32, 35-41, 44, 45, 47-52, 55-62, 71-73, 75, 76, 100-109, 112-125, 128, 129, "
    "132-157, 160-187, 190-207"
)
"""As the challenge describes them: those of the BrainCOLOR protocol, and the background."""


def spelt_out(ranges: str) -> list[int]:
    ids: list[int] = []
    for piece in ranges.split(", "):
        first, _, last = piece.partition("-")
        ids.extend(range(int(first), int(last or first) + 1))
    return ids


def scan(name: str) -> Scan:
    relative = PurePosixPath("imagesVal", f"{name}.nii.gz")
    return Scan(relative, Path(relative))


def test_there_is_a_task_for_every_file_and_they_are_sorted() -> None:
    assert task_names() == sorted(path.stem for path in TASKS.iterdir())
    assert {"any", "aseg", "lumir24", "lumir25"} <= set(task_names())


@pytest.mark.parametrize("name", task_names())
def test_a_task_is_called_like_its_file(name: str) -> None:
    task = load_task(name)
    assert task.name == name
    assert name == name.lower()
    assert len(task.title) > 10


@tasks()
def test_a_grid_has_three_positive_sizes(task: Task) -> None:
    assert task.data.shape is None or min(task.data.shape) > 1


@tasks()
def test_its_protocol_can_be_computed(task: Task) -> None:
    protocol = protocol_of(task)
    assert len({metric.name for metric in protocol.metrics}) == len(protocol.metrics)


@tasks(lambda task: protocol_of(task).labels is not None)
def test_its_labels_are_distinct_and_in_order(task: Task) -> None:
    labels = protocol_of(task).labels
    assert list(labels) == sorted(set(labels))


@tasks()
def test_its_rule_names_the_fields_of_numbered_images(task: Task) -> None:
    visit = "_00" if task.field.names == "psmareg" else ""
    scans = [scan(f"BRAIN_{number:04}_0000{visit}") for number in (1, 2, 3)]
    pairs = [Pair(fixed, moving) for fixed in scans for moving in scans if fixed != moving]
    named = field_names(task.field, pairs)
    assert list(named.values()) == pairs
    assert all(name.startswith("disp_") and name.endswith(".nii.gz") for name in named)


@tasks(lambda task: task.field.names == "stem")
def test_a_rule_of_stems_names_any_images(task: Task) -> None:
    pairs = [Pair(scan("my brain"), scan("yours"))]
    assert list(field_names(task.field, pairs)) == ["disp_my brain_yours.nii.gz"]


@tasks(lambda task: task.field.names != "stem")
def test_a_rule_of_numbers_says_what_is_missing_in_other_names(task: Task) -> None:
    with pytest.raises(DatasetError, match="use --task any"):
        field_names(task.field, [Pair(scan("my brain"), scan("yours"))])


@tasks()
def test_it_normalises_intensities_to_between_0_and_1(task: Task) -> None:
    volume = np.random.default_rng(0).uniform(0, 255, (6, 5, 4)).astype(np.float32)
    normalised = task.preprocess.normalise(volume).volume
    assert normalised.dtype == np.float32
    assert normalised.min() >= 0
    assert 0.9 < normalised.max() <= 1


def test_no_two_tasks_wait_for_the_same_pair_list() -> None:
    known = [task.container for task in map(load_task, task_names()) if task.container]
    places = [container.dataset for container in known if container.dataset is not None]
    assert len(places) == len(set(places))


@tasks(lambda task: task.container is not None)
def test_mounts_are_absolute_and_results_never_go_where_images_come_from(task: Task) -> None:
    lists = [task.container.dataset] if task.container.dataset else []
    places = (*lists, task.container.input, task.container.output)
    assert all(place.is_absolute() for place in places)
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    ("name", "dataset", "images", "output"),
    [
        ("lumir24", "/LUMIR_dataset.json", "/input", "/output"),
        ("lumir25", "/app/LUMIR25_dataset.json", "/app/input", "/app/output"),
        ("any", "/app/input_dataset.json", "/app/input", "/app/output"),
    ],
)
def test_the_organisers_mount_their_data_here(
    name: str, dataset: str, images: str, output: str
) -> None:
    expected = Container(
        dataset=PurePosixPath(dataset), input=PurePosixPath(images), output=PurePosixPath(output)
    )
    found = load_task(name).container
    assert found.model_copy(update={"run": None}) == expected


@pytest.mark.parametrize(("name", "mask"), [("lumir24", "moving"), ("lumir25", "fixed")])
def test_lumir_is_as_its_scorer_has_it(name: str, mask: str) -> None:
    task = load_task(name)
    assert task.data.shape == (160, 224, 192)
    assert (task.field.names, task.field.channels_first) == ("lumir", True)
    assert task.preprocess.normalise.kind == "divide"
    assert task.preprocess.normalise.by == 255
    assert task.evaluation["metrics"] == [
        {"metric": "ndv", "name": "Non-diffeomorphic Volumes", "mask": mask},
        {"metric": "dice", "name": "DSC"},
        {"metric": "hd95", "name": "HD95"},
        {"metric": "tre", "name": "TRE_lm", "folder": "landmarks"},
    ]
    assert task.evaluation["labels"] == spelt_out(LUMIR_IDS)
    assert len(spelt_out(LUMIR_IDS)) == 133


def test_the_sample_has_the_structures_that_freesurfer_finds_in_any_brain() -> None:
    ids = spelt_out("2-5, 7, 8, 10-18, 26, 28, 41-44, 46, 47, 49-54, 58, 60")
    assert load_task("aseg").evaluation["labels"] == ids
    assert load_task("aseg").data.shape == load_task("lumir24").data.shape


def test_any_asks_for_nothing_in_particular() -> None:
    task = load_task("any")
    assert (task.data.shape, task.field.names) == (None, "stem")
    assert "labels" not in task.evaluation
