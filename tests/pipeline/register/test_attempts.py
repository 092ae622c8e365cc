"""Counting the processes that were killed at a pair."""

from pathlib import Path

import pytest

from l2r.errors import OutputError
from pipeline.register.attempts import attempt
from pipeline.workdir import open_folder

NAME = "disp_0002_0001.nii.gz"


def killed(folder: Path) -> int:
    """Begin and never end, as a killed process does."""
    return attempt(folder, NAME).__enter__()


def test_every_attempt_that_does_not_end_counts(tmp_path: Path) -> None:
    assert [killed(tmp_path) for _ in range(4)] == [0, 1, 2, 3]


def test_an_attempt_that_ends_leaves_nothing(tmp_path: Path) -> None:
    killed(tmp_path)
    with attempt(tmp_path, NAME) as before:
        assert before == 1
    assert list(tmp_path.iterdir()) == []
    assert killed(tmp_path) == 0


def test_pairs_are_counted_apart(tmp_path: Path) -> None:
    killed(tmp_path)
    with attempt(tmp_path, "disp_0003_0002.nii.gz") as before:
        assert before == 0


def test_a_new_run_counts_anew(tmp_path: Path) -> None:
    killed(tmp_path)
    open_folder(tmp_path, {NAME})
    assert killed(tmp_path) == 0


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        killed(tmp_path / "gone")
