"""A function for many items, on two real worker processes."""

from collections.abc import Iterator

import pytest

from l2r.cluster.option import open_workers
from l2r.cluster.workers import Workers
from l2r.errors import ImageError

pytestmark = pytest.mark.slow
COUNT = 2000


def squared(item: int) -> int:
    if item < 0:
        raise ImageError(f"{item}: is negative")
    return item * item


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
