"""Slabs cover the last axis once, and their errors come out."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2r.transforms import slabs

SIZES = st.integers(1, 300)


def covered(shape: tuple[int, int, int]) -> list[int]:
    """Planes that the work is called with, sorted."""
    lock, planes = threading.Lock(), []

    def work(part: slice) -> None:
        with lock:
            planes.extend(range(shape[2])[part])

    slabs.over_slabs(shape, work)
    return sorted(planes)


@settings(max_examples=30)
@given(st.tuples(SIZES, SIZES, SIZES))
def test_every_plane_is_worked_on_once(shape: tuple[int, int, int]) -> None:
    assert covered(shape) == list(range(shape[2]))


@settings(max_examples=30)
@given(st.tuples(SIZES, SIZES, SIZES))
def test_no_slab_is_empty_or_larger_than_it_need_be(shape: tuple[int, int, int]) -> None:
    plane = shape[0] * shape[1]
    sizes = [part.stop - part.start for part in slabs._slabs(shape)]
    assert min(sizes) >= 1
    assert max(sizes) * plane <= max(slabs._POINTS, plane)


def test_a_plane_larger_than_a_slab_is_worked_on_alone() -> None:
    assert list(slabs._slabs((1000, 1000, 3))) == [slice(0, 1), slice(1, 2), slice(2, 3)]


def test_the_last_slab_ends_with_the_grid() -> None:
    assert list(slabs._slabs((256, 128, 10))) == [slice(0, 4), slice(4, 8), slice(8, 10)]


def test_an_error_in_one_slab_comes_out() -> None:
    def work(part: slice) -> None:
        if part.start == 2:
            raise ArithmeticError("plane 2")

    with pytest.raises(ArithmeticError, match="plane 2"):
        slabs.over_slabs((1000, 1000, 4), work)


def test_only_the_cores_of_this_process_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {3})
    seen = set()
    slabs.over_slabs((1000, 1000, 6), lambda _part: seen.add(threading.get_ident()))
    assert len(seen) == 1
    assert threading.get_ident() not in seen
