"""Pickles of arrays are read, and those that would run code are refused."""

import builtins
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from l2r.errors import ImageError
from pipeline.dataset.arrays import read_arrays
from tests.pipeline.dataset.conftest import labels_of, pickled, volume


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_any_protocol_come_back_as_they_were(tmp_path: Path, protocol: int) -> None:
    pair = (volume(1), labels_of((0, 7), 1))
    pickled(tmp_path / "pair.pkl", pair, protocol)
    found = read_arrays(tmp_path / "pair.pkl", 2)
    for array, expected in zip(found, pair, strict=True):
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("package", ["numpy.core", "numpy._core"])
def test_pickles_of_numpy_1_and_2_are_both_read(tmp_path: Path, package: str) -> None:
    content = pickle.dumps((volume(1), volume(2)), protocol=2)
    for name in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        content = content.replace(name, f"{package}.multiarray".encode())
    (tmp_path / "pair.pkl").write_bytes(content)
    np.testing.assert_array_equal(read_arrays(tmp_path / "pair.pkl", 2)[1], volume(2))


class _Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: object, *words: object) -> None:
        self._call = (function, words)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._call


@pytest.mark.parametrize("function", [os.system, builtins.eval, os.mkdir], ids=lambda f: f.__name__)
def test_a_file_that_would_run_code_is_refused_and_runs_none(
    tmp_path: Path, function: object
) -> None:
    made = tmp_path / "made"
    words = {"system": f"touch {made}", "eval": f"open({str(made)!r}, 'w')"}
    pickled(tmp_path / "bad.pkl", (volume(1), _Calls(function, words.get(function.__name__, made))))
    with pytest.raises(ImageError, match=r"bad.pkl: no pickle of arrays alone: it would call"):
        read_arrays(tmp_path / "bad.pkl", 2)
    assert not made.exists()


def test_only_the_encoding_of_old_protocols_is_known(tmp_path: Path) -> None:
    content = pickle.dumps((volume(1), volume(2)), protocol=2).replace(b"latin1", b"rot_13")
    (tmp_path / "odd.pkl").write_bytes(content)
    with pytest.raises(ImageError, match="no pickle of arrays alone"):
        read_arrays(tmp_path / "odd.pkl", 2)


@pytest.mark.parametrize(
    "content",
    [volume(1), (volume(1),), (volume(1), "text"), {"a": 1}, (volume(1), np.array([object]))],
    ids=["array", "one", "text", "table", "objects"],
)
def test_something_else_than_two_arrays_of_numbers_is_refused(
    tmp_path: Path, content: object
) -> None:
    pickled(tmp_path / "other.pkl", content)
    with pytest.raises(ImageError, match=r"other.pkl: "):
        read_arrays(tmp_path / "other.pkl", 2)


def test_a_file_that_is_missing_or_cut_off_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone.pkl: cannot be read"):
        read_arrays(tmp_path / "gone.pkl", 2)
    pickled(tmp_path / "cut.pkl", (volume(1), volume(2)))
    content = (tmp_path / "cut.pkl").read_bytes()
    (tmp_path / "cut.pkl").write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match=r"cut.pkl: no pickle of arrays alone"):
        read_arrays(tmp_path / "cut.pkl", 2)
