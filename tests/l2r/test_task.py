"""Task files and what they say of intensities. What they hold is tested in contracts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from l2r.errors import TaskError
from l2r.normalise import Divide
from l2r.task import load_task, task_names

volumes = arrays(np.float32, (4, 3, 2), elements=st.floats(0, 4096, width=32))
varied = volumes.filter(lambda volume: volume.max() > volume.min() + 1e-3)

MINIMAL = """
name = "mine"
title = "My own"
[data]
[field]
names = "stem"
[preprocess]
normalise = { kind = "divide", by = 2 }
[evaluation]
"""


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_a_task_is_loaded_by_name() -> None:
    task = load_task("lumir24")
    assert (task.name, task.data.shape, task.field.names) == ("lumir24", (160, 224, 192), "lumir")


def test_a_task_file_is_loaded_by_its_path_and_most_of_it_may_be_left_out(tmp_path: Path) -> None:
    task = load_task(written(tmp_path, MINIMAL))
    assert (task.name, task.data.shape, task.container) == ("mine", None, None)
    assert task.field.channels_first is False
    assert task.preprocess.normalise == Divide(by=2)
    assert task.evaluation == {}


@pytest.mark.parametrize("name", ["lumir", "", "LUMIR24", "a\0b"], ids=ascii)
def test_an_unknown_task_names_those_that_are_known(name: str) -> None:
    with pytest.raises(
        TaskError, match=r"no task .*; known are abdomen_ctct, .*, any, aseg, .*, lumir24, "
    ) as caught:
        load_task(name)
    for known in task_names():
        assert known in str(caught.value)


@pytest.mark.parametrize("name", ["gone.toml", "../gone", "folder/gone.toml"])
def test_a_missing_task_file_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match=r"gone.toml: no such file$"):
        load_task(name)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[data]", "[data", "not valid TOML: .*line 4"),
        ("[data]", "[data]\nspacing = 1", "data.spacing: extra inputs are not permitted"),
        ("[data]", "[data]\nshape = [1, 2]", "data.shape.2: field required"),
        ("[data]", "[data]\nshape = [1, 2, 'x']", "data.shape.2: input should be a valid integer"),
        (
            '"stem"',
            '"short"',
            "field.names: .*no rule of names 'short'; there are lumir, long, psmareg, stem",
        ),
        ('"divide"', '"z-score"', "preprocess.normalise: .*'z-score'.*'divide', 'quantile'"),
        ("by = 2", "by = 0", "preprocess.normalise.divide.by: input should be greater than 0"),
        ("[evaluation]", "", "mine.toml: evaluation: field required"),
        ('name = "mine"', "", "mine.toml: name: field required"),
    ],
    ids=str,
)
def test_a_faulty_task_file_is_refused_with_the_place_of_the_fault(
    old: str, new: str, fault: str, tmp_path: Path
) -> None:
    with pytest.raises(TaskError, match=fault):
        load_task(written(tmp_path, MINIMAL.replace(old, new)))
