"""Batches of a list's items: how large, how many at a time, and that none is lost or sent twice."""

import time

import pytest

from l2r.cluster import batches as module
from l2r.cluster.batches import FIRST, LARGEST, WINDOW, Batches, Part, work_through


def part(made: int, seconds: float) -> Part[int]:
    return Part([0] * made, seconds)


def test_the_first_tasks_have_one_item_and_are_two_a_worker_or_a_few() -> None:
    assert list(Batches(range(100), workers=2).more()) == [[item] for item in range(FIRST)]
    assert len(list(Batches(range(1000), workers=100).more())) == 200


def test_slow_items_stay_alone_and_the_window_opens() -> None:
    batches = Batches(range(10_000), workers=2)
    first, *_ = batches.more()
    assert batches.end(first, part(1, 23.0)) == []
    more = list(batches.more())
    assert {len(batch) for batch in more} == {1}
    assert len(more) == WINDOW - FIRST + 1


def test_batches_of_quick_items_double_up_to_the_largest() -> None:
    batches = Batches(range(10_000), workers=2)
    running = list(batches.more())
    sizes = []
    for _ in range(10):
        batches.end(running.pop(0), part(1, 0.001))
        running.extend(batches.more())
        sizes.append(batches._size)
    assert sizes == [2, 4, 8, 16, 32, LARGEST, LARGEST, LARGEST, LARGEST, LARGEST]
    assert sum(map(len, running)) == pytest.approx(WINDOW, abs=LARGEST)


def test_a_batch_shrinks_to_what_a_second_holds() -> None:
    batches = Batches(range(10_000), workers=2)
    for seconds, size in ((0.1, 2), (0.1, 4), (0.1, 8), (0.1, 10), (0.3, 3), (5.0, 1)):
        batches.end([0], part(1, seconds))
        assert batches._size == size


def test_every_item_ends_once_whatever_workers_leave_undone() -> None:
    batches = Batches(range(3000), workers=2)
    running, ended = list(batches.more()), []
    for step in range(100_000):
        batch = running.pop(0)
        made = 0 if step % 7 == 0 else 1 + step % len(batch)
        ended.extend(batch[:made])
        left = batches.end(batch, part(made, 0.001))
        running.extend([left] if left else [])
        running.extend(batches.more())
        if not running:
            break
    assert sorted(ended) == list(range(3000))


def test_a_worker_stops_when_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TASK_S", 0.05)
    made = work_through(lambda item: time.sleep(0.03) or item, list(range(100)))
    assert made.outcomes == list(range(len(made.outcomes)))
    assert 1 <= len(made.outcomes) <= 2
    assert made.seconds >= 0.05


def test_a_failing_item_keeps_the_outcomes_before_it_and_raises_as_the_first() -> None:
    batch = [4, 2, 0, 1]
    made = work_through(lambda item: 4 // item, batch)
    assert made.outcomes == [1, 2]
    with pytest.raises(ZeroDivisionError):
        work_through(lambda item: 4 // item, batch[len(made.outcomes) :])
