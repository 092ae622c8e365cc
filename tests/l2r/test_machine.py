"""The machine as this process may use it."""

import os

import pytest

from l2r.machine import usable_cores


def test_a_process_that_may_use_two_cores_of_many_has_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {3, 5}, raising=False)
    assert usable_cores() == 2


def test_a_system_without_affinity_gives_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    assert usable_cores() == os.cpu_count()


def test_a_system_that_tells_nothing_has_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert usable_cores() == 1
