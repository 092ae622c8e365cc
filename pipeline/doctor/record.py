"""The question and the answer of a check."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from l2r.mounts import Mounts

Status: TypeAlias = Literal["good", "warning", "blocker"]
"""With a blocker, a run would fail or give nothing useful."""
GIB = 2**30


@dataclass(frozen=True)
class Plan:
    """The run that is in question."""

    device: str
    """`auto`, `cpu`, `cuda` or `cuda:n`."""
    output: Path
    """Where it would write."""
    mounts: Mounts | None
    """Of the one challenge that is mounted, if any."""
    expected: bool
    """Whether somebody means to write there; else it is only what a run would fall back to."""


@dataclass(frozen=True)
class CheckResult:
    """One row of the table."""

    status: Status
    found: str
    advice: str = ""
    """What to do; empty where nothing is."""


Check: TypeAlias = Callable[[Plan], CheckResult]


def gib(size: int) -> str:
    """Format bytes in GiB."""
    return f"{size / GIB:.1f} GiB"
