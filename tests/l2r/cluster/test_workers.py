"""A function for many items, on two real worker processes."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from l2r.cluster.option import open_workers
from l2r.cluster.workers import Workers
from l2r.errors import ClusterError, ImageError

pytestmark = pytest.mark.slow
COUNT = 2000


def squared(item: int) -> int:
    if item < 0:
        raise ImageError(f"{item}: is negative")
    return item * item


def deadly(counter: Path, kills: int, item: int) -> int:
    """The item 40 kills the processes that work at it, so many times."""
    if item == 40:
        with counter.open("ab") as file:
            file.write(b".")
        if counter.stat().st_size <= kills:
            os.kill(os.getpid(), signal.SIGKILL)
    return item


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with open_workers("local:2") as started:
        yield started


def test_outcomes_come_in_the_order_of_the_items(workers: Workers) -> None:
    assert list(workers.in_order(squared, range(COUNT))) == [item**2 for item in range(COUNT)]


def test_every_item_has_one_outcome(workers: Workers) -> None:
    found = sorted(workers.as_finished(squared, range(COUNT)))
    assert found == [item**2 for item in range(COUNT)]


def test_a_faulty_item_raises_after_the_outcomes_before_it(workers: Workers) -> None:
    found: list[int] = []
    with pytest.raises(ImageError, match="-1: is negative"):
        found.extend(workers.in_order(squared, [*range(COUNT), -1, *range(COUNT)]))
    assert found == [item**2 for item in range(COUNT)]


def test_no_items_are_no_outcomes(workers: Workers) -> None:
    assert list(workers.in_order(squared, [])) == []
    assert list(workers.as_finished(squared, [])) == []


def test_every_item_has_one_outcome_even_if_one_kills_three_workers(
    workers: Workers, tmp_path: Path
) -> None:
    counter = tmp_path / "begun"
    found = sorted(workers.as_finished(partial(deadly, counter, 3), range(300)))
    assert found == list(range(300))
    assert counter.stat().st_size >= 4


def test_an_item_that_kills_every_worker_is_an_error_where_nothing_gives_it_up(
    workers: Workers, tmp_path: Path
) -> None:
    work = partial(deadly, tmp_path / "begun", 99)
    with pytest.raises(ClusterError, match="killed, and so were others before it"):
        list(workers.in_order(work, range(300)))
    assert (tmp_path / "begun").stat().st_size >= 3
