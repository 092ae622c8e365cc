"""The one inner loop: steps on some parameters, the best iterate kept, or the last one.

Instance optimisation descends on a velocity, a displacement or a network's weights, on-the-fly
guidance on the displacement that a network predicted; they differ in the parts they bring.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal, TypeAlias

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor
from torch.optim import Optimizer

from l2r.schema import Frozen
from models.optim.combine import Combine, Combined, Cosines, Losses, SumGradients, to_floats

Stopped: TypeAlias = Literal["steps", "converged", "deadline", "diverged"]
Kept: TypeAlias = Literal["best", "last"]
"""The iterate that a descent leaves behind."""

LossValues: TypeAlias = Mapping[str, float]
IterateScore: TypeAlias = Callable[[LossValues], float]


def sum_of(values: LossValues) -> float:
    """Sum of all losses."""
    return sum(values.values())


_MOST_SKIPPED = 3
"""Steps in a row that may be skipped; more, and nothing but NaN is to be expected."""


class Convergence(Frozen):
    """Stop when the last `window` iterates gained less than `share` of all that was gained.

    Compared are the mean score of the last `window` iterates and that of the `window` before them;
    the whole gain runs from the start to the best iterate. So neither the scale nor the sign of an
    objective matters, nor the noise of a stochastic one as long as the window outlasts it.
    """

    window: PositiveInt = 10
    share: PositiveFloat = 0.01

    def reached(self, scores: Sequence[float]) -> bool:
        """Decide from the scores of all iterates so far whether a descent has converged."""
        size = self.window
        if len(scores) < 2 * size:
            return False
        before, last = sum(scores[-2 * size : -size]) / size, sum(scores[-size:]) / size
        return before - last < self.share * (scores[0] - min(scores))


@dataclass(frozen=True)
class Goal:
    """An objective: the losses, their combination, and the score of an iterate."""

    losses: Callable[[], Losses]
    """Losses at the present parameters."""
    score: IterateScore = sum_of
    """Score of the losses' values; the iterate with the lowest one is the best."""
    combine: Combine = field(default_factory=SumGradients)
    """Makes one gradient of many losses."""
    random: torch.Generator = field(default_factory=torch.Generator)
    """For those combinations that draw."""
    keep: Kept = "best"
    """The last one is what all steps led to, or the best one where they led to NaN."""


@dataclass(frozen=True)
class StopConditions:
    """Conditions that end a descent."""

    steps: int
    deadline: float | None = None
    """In seconds of `time.monotonic`; no step is begun that would likely end later."""
    convergence: Convergence | None = None


@dataclass(frozen=True)
class OptimisationResult:
    """History of a descent."""

    losses: tuple[LossValues, ...]
    """Losses of each evaluated iterate."""
    cosines: tuple[Cosines, ...]
    """Cosines between the losses' gradients at each step, where they were computed apart."""
    best: int
    """The iterate with the lowest score; its parameters are left behind unless the last one's
    are kept."""
    skipped: int
    """Steps that were not taken because a loss or a gradient was NaN or infinite."""
    stopped: Stopped
    seconds: float = 0.0
    """Wall time."""

    @property
    def conflict_rate(self) -> float | None:
        """Share of steps at which the gradients of two losses conflicted."""
        if not self.cosines:
            return None
        return sum(worst < 0 for worst in self.smallest_cosines) / len(self.cosines)

    @property
    def mean_cosine(self) -> float | None:
        """Mean over the steps of the smallest cosine between two gradients."""
        return sum(self.smallest_cosines) / len(self.cosines) if self.cosines else None

    @property
    def smallest_cosines(self) -> list[float]:
        """The smallest cosine between two gradients at each step."""
        return [min(step.values()) for step in self.cosines]


def descend(
    parameters: Sequence[Tensor],
    goal: Goal,
    optimiser: Optimizer,
    limits: StopConditions,
    *,
    buffers: Sequence[Tensor] = (),
) -> OptimisationResult:
    """Minimise, and leave the best iterate in `parameters`, or the last one if `goal` says so.

    A loss or gradient that is NaN or infinite costs the step: the best iterate is taken up again,
    from which the optimiser's momentum leads elsewhere. If that does not help, it ends "diverged".

    Args:
        parameters: leaves that `optimiser` holds.
        goal: the objective.
        optimiser: of torch, or one that looks like it.
        limits: `steps` steps evaluate `steps + 1` iterates, the start among them.
        buffers: tensors that an evaluation changes, such as running statistics; they are kept with
            the iterate that they belong to.
    """
    began = time.monotonic()
    history = _History(goal.score, [*parameters, *buffers])
    stopped = _run(history, parameters, goal, optimiser, limits)
    if goal.keep == "best":
        history.restore_best()
    return OptimisationResult(
        losses=tuple(history.losses),
        cosines=tuple(history.cosines),
        best=history.best,
        skipped=history.skipped,
        stopped=stopped,
        seconds=time.monotonic() - began,
    )


def _run(
    history: "_History",
    parameters: Sequence[Tensor],
    goal: Goal,
    optimiser: Optimizer,
    limits: StopConditions,
) -> Stopped:
    watch = _Watch(limits.deadline)
    for step in range(limits.steps + 1):
        if not watch.time_for_another():
            return "deadline"
        last, losses = step == limits.steps, goal.losses()
        combined = Combined(()) if last else goal.combine(losses, parameters, goal.random)
        values = _read_finite(losses, combined.gradients)
        if values is None:
            if history.skip() > _MOST_SKIPPED:
                return "diverged"
            continue
        history.record(values, combined.cosines)
        if limits.convergence and limits.convergence.reached(history.scores):
            return "converged"
        if not last:
            _step(optimiser, parameters, combined.gradients)
    return "steps"


def _step(optimiser: Optimizer, parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    optimiser.step()


class _History:
    """Losses of the iterates so far, and the state of the best one."""

    def __init__(self, score: IterateScore, state: Sequence[Tensor]) -> None:
        self._score, self._state = score, state
        self._kept = [tensor.detach().clone() for tensor in state]
        self._in_a_row = 0
        self.losses: list[LossValues] = []
        self.scores: list[float] = []
        self.cosines: list[Cosines] = []
        self.best, self.skipped = -1, 0

    def record(self, values: LossValues, cosines: Cosines) -> None:
        """Note an iterate, and keep it if it is the best so far."""
        self.losses.append(values)
        self.scores.append(self._score(values))
        if cosines:
            self.cosines.append(cosines)
        if self.best < 0 or self.scores[-1] < self.scores[self.best]:
            self.best = len(self.scores) - 1
            _copy(self._state, self._kept)
        self._in_a_row = 0

    def skip(self) -> int:
        """Return to the best iterate; the number of steps skipped in a row."""
        self.restore_best()
        self.skipped += 1
        self._in_a_row += 1
        return self._in_a_row

    def restore_best(self) -> None:
        """Restore the state of the best iterate."""
        _copy(self._kept, self._state)


class _Watch:
    """Predicts from the longest step so far whether another one fits before the deadline."""

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


def _read_finite(losses: Losses, gradients: Sequence[Tensor]) -> LossValues | None:
    """Values of the losses; None where one of them, or a gradient, is NaN or infinite.

    All is read at once: a step waits for a GPU a single time.
    """
    checks = [gradient.isfinite().all() for gradient in gradients]
    numbers = to_floats([*losses.values(), *checks])
    values = dict(zip(losses, numbers, strict=False))
    if all(numbers[len(values) :]) and all(map(isfinite, values.values())):
        return values
    return None
