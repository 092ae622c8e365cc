"""The one inner loop: n steps on some parameters, the best iterate kept.

Instance optimisation descends on a velocity or a displacement, on-the-fly guidance on the
displacement that a network predicted; they differ in the parts they bring.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from models.optim.combine import Combine, Losses, plain_sum


@dataclass(frozen=True)
class Descent:
    """What a descent did."""

    losses: tuple[tuple[float, ...], ...]
    """Per evaluated iterate, one number per objective."""
    best: int
    """The iterate with the lowest sum; its parameters are what the descent leaves behind."""
    stopped: Literal["steps", "deadline", "diverged"]


def descend(
    parameters: Sequence[Tensor],
    objective: Callable[[], Losses],
    optimiser: Optimizer,
    *,
    steps: int,
    combine: Combine = plain_sum,
    deadline: float | None = None,
) -> Descent:
    """Minimise `sum(objective())` and leave the best iterate in `parameters`.

    Args:
        parameters: leaves that `optimiser` holds.
        objective: evaluates every objective at the present parameters.
        optimiser: of torch, or one that looks like it.
        steps: at most this many; the first iterate is the start, so `steps` are judged.
        combine: makes one gradient of many objectives.
        deadline: in seconds of `time.monotonic`; no step is begun that would likely end later.

    Returns:
        The course of the descent. It ends early at the deadline, or when a loss or gradient is
        NaN or infinite ("diverged"); the best iterate so far is kept in either case.
    """
    watch = _Watch(deadline)
    course: list[tuple[float, ...]] = []
    best, kept = -1, [parameter.detach().clone() for parameter in parameters]
    stopped: Literal["steps", "deadline", "diverged"] = "steps"
    for step in range(steps):
        if not watch.time_for_another():
            stopped = "deadline"
            break
        losses = objective()
        gradients = combine(losses, parameters)
        values = tuple(float(loss.detach()) for loss in losses)
        if not _all_finite([*losses, *gradients]):
            stopped = "diverged"
            break
        course.append(values)
        if best < 0 or sum(values) < sum(course[best]):
            best = step
            _copy(parameters, kept)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
    _copy(kept, parameters)
    return Descent(tuple(course), best, stopped)


class _Watch:
    """Knows from the longest step so far whether another one fits before the deadline."""

    def __init__(self, deadline: float | None) -> None:
        self._deadline, self._last, self._longest = deadline, time.monotonic(), 0.0

    def time_for_another(self) -> bool:
        now = time.monotonic()
        self._longest, self._last = max(self._longest, now - self._last), now
        return self._deadline is None or now + self._longest < self._deadline


def _copy(source: Sequence[Tensor], target: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for old, new in zip(target, source, strict=True):
            old.copy_(new)


def _all_finite(tensors: Sequence[Tensor]) -> bool:
    return bool(torch.stack([tensor.detach().isfinite().all() for tensor in tensors]).all())
