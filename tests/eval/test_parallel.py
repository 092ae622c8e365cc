"""The same work in several processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval.parallel import in_order
from l2r.errors import FieldError, ScoringError


def later_first(item: int) -> tuple[int, int]:
    time.sleep(0.2 if item == 0 else 0)
    return item, os.getpid()


def stumble(item: int) -> int:
    if item == 2:
        raise FieldError("disp_2: no such file")
    return item


def die(item: int) -> int:
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_outcomes_come_in_order(jobs: int) -> None:
    outcomes = list(in_order(later_first, list(range(4)), jobs))
    assert [item for item, _ in outcomes] == [0, 1, 2, 3]
    assert (os.getpid() in {process for _, process in outcomes}) == (jobs == 1)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_the_same_wherever_it_happens_and_comes_in_its_turn(jobs: int) -> None:
    outcomes = in_order(stumble, list(range(9)), jobs)
    assert [next(outcomes), next(outcomes)] == [0, 1]
    with pytest.raises(FieldError, match=r"^disp_2: no such file$"):
        next(outcomes)


def test_a_killed_process_is_one_line() -> None:
    with pytest.raises(
        ScoringError, match=r"one of 2 scoring processes was killed.*fewer"
    ) as caught:
        list(in_order(die, [0, 1, 2], 2))
    assert "\n" not in str(caught.value)


def test_where_there_is_no_shared_memory_it_is_one_line() -> None:
    code = "from eval.parallel import in_order; list(in_order(abs, [1, 2], 2))"
    script = 'mount -t tmpfs -o ro none /dev/shm && exec "$0" -c "$1"'
    apart = ["unshare", "--mount"]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make namespaces")
    ran = subprocess.run(
        [*apart, "sh", "-c", script, sys.executable, code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ScoringError: several processes need shared memory" in ran.stderr.splitlines()[-1]
