"""Scores a submission, pair by pair."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from eval.metrics.base import Case, MetricBase
from eval.protocol import protocol_of
from eval.report import CaseScore, Report
from eval.truth import IMAGES, GroundTruth
from l2r.dataset import Pair
from l2r.errors import FieldError, ImageError
from l2r.files import grid_shape
from l2r.submission import Submission, as_vectors, field_names
from l2r.task import Task


def _ignore(_: CaseScore) -> None:
    pass


def score(
    submission: Submission,
    task: Task,
    pairs: list[Pair],
    ground_truth: Path,
    *,
    done: Callable[[CaseScore], None] = _ignore,
) -> Report:
    """Score a submission as the task's scorer would.

    Args:
        submission: the fields.
        task: says how the fields are named and what is computed.
        pairs: at least one.
        ground_truth: folder of the images, labels and landmarks; the pairs' paths are relative to
            it.
        done: is told of every case as soon as it is scored.

    Raises:
        TaskError: the task's protocol is faulty.
        DatasetError: the pairs' names do not fit the task's rule.
        ImageError: ground truth is missing or cannot be used.
        FieldError: a field is missing, has a wrong shape, or holds what is not a number.
    """
    protocol, truth = protocol_of(task), GroundTruth(ground_truth)
    named = field_names(task.field, pairs)
    _require_all(submission, list(named))
    plan = _plan(protocol.metrics, pairs, truth)
    cases = []
    for name, pair in named.items():
        case = Case(pair, _read(submission, name, task, pair, truth), truth, protocol.labels)
        results = {metric.name: metric(case) for metric in plan[pair]}
        del case  # or two fields would be in memory while the next one is read
        cases.append(CaseScore(_case_name(task, pair), results))
        done(cases[-1])
    return Report(protocol.name, protocol.metrics, tuple(cases))


def _require_all(submission: Submission, names: list[str]) -> None:
    present = set(submission.names())
    missing = [name for name in names if name not in present]
    if missing:
        raise FieldError(
            f"{submission.path / missing[0]}: no such file; {len(missing)} of {len(names)} fields "
            "are missing, and the scorer takes no other name"
        )


def _plan(
    metrics: tuple[MetricBase, ...], pairs: list[Pair], truth: GroundTruth
) -> dict[Pair, list[MetricBase]]:
    """Which metrics each pair has ground truth for."""
    plan = {pair: [m for m in metrics if m.has_truth(pair, truth)] for pair in pairs}
    wanted = sorted({metric.folder for metric in metrics} - {IMAGES})
    if wanted and not any(metric.folder in wanted for chosen in plan.values() for metric in chosen):
        raise ImageError(
            f"{truth.path(pairs[0].fixed, wanted[0])}: no such file, nor any other "
            f"{' or '.join(wanted)} of the {len(pairs)} pairs; give --ground-truth the folder "
            f"that has them beside {IMAGES}"
        )
    return plan


def _read(
    submission: Submission, name: str, task: Task, pair: Pair, truth: GroundTruth
) -> Float[np.ndarray, "x y z 3"]:
    shape = task.data.shape or grid_shape(truth.path(pair.fixed, IMAGES))
    return as_vectors(submission.read(name), shape, task, name)


def _case_name(task: Task, pair: Pair) -> str:
    if task.field.names == "stem":
        return pair.name
    return "<--".join("_".join(scan.ids) for scan in (pair.fixed, pair.moving))
