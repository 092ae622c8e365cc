"""Scores a submission, pair by pair."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from eval.metrics.base import Case, MetricBase, Warp
from eval.parallel import in_order
from eval.protocol import Protocol, protocol_of
from eval.report import CaseScore, Report
from eval.truth import IMAGES, GroundTruth
from eval.warp import warp_nearest
from eval.warp_psma import warp_like_grid_sample
from l2r.dataset import Pair
from l2r.errors import ImageError
from l2r.formats.nifti import grid_shape
from l2r.submission import Submission, as_vectors, locate, most_bytes
from l2r.task import Task

WARPS: dict[str, Warp] = {
    "map_coordinates": warp_nearest,
    "grid_sample": warp_like_grid_sample,
}


def _ignore(_: CaseScore) -> None:
    pass


def score(
    submission: Submission,
    task: Task,
    pairs: list[Pair],
    ground_truth: Path,
    *,
    jobs: int = 1,
    done: Callable[[CaseScore], None] = _ignore,
) -> Report:
    """Score a submission as the task's scorer would.

    Args:
        submission: the fields.
        task: says how the fields are named and what is computed.
        pairs: at least one.
        ground_truth: folder of the images, labels and landmarks; the pairs' paths are relative to
            it.
        jobs: processes that score at the same time; each holds one case in memory.
        done: is told of every case as soon as it and all before it are scored.

    Raises:
        TaskError: the task's protocol is faulty.
        DatasetError: the pairs' names do not fit the task's rule.
        ImageError: ground truth is missing or cannot be used.
        FieldError: a field is missing or belongs to no pair, has a wrong shape, or holds what is
            not a number.
        ScoringError: a process was killed.
    """
    protocol = protocol_of(task)
    scorer = _Scorer(submission, task, protocol, GroundTruth(ground_truth))
    located = locate(submission, task.field, pairs)
    scorer.require_truth(pairs)
    cases = []
    for case in in_order(scorer, list(located.items()), jobs):
        cases.append(case)
        done(case)
    return Report(
        protocol.name,
        protocol.metrics,
        tuple(cases),
        rules=protocol.aggregates,
        version=protocol.version,
        layout=protocol.layout,
    )


@dataclass(frozen=True)
class _Scorer:
    """Everything that one case needs, in any process."""

    submission: Submission
    task: Task
    protocol: Protocol
    truth: GroundTruth

    def __call__(self, item: tuple[Pair, str]) -> CaseScore:
        pair, name = item
        vectors, warp = self._vectors(pair, name), WARPS[self.protocol.warp]
        case = Case(pair, vectors, self.truth, self.protocol.labels, warp)
        results = {metric.name: metric(case) for metric in self._metrics(pair)}
        groups = (group.name for group in self.protocol.aggregates.groups if group.holds(pair))
        name = _case_name(self.task, pair)
        return CaseScore(name, results, tuple(groups), tuple(case.orientation_notes()))

    def require_truth(self, pairs: Sequence[Pair]) -> None:
        """Make sure that there is something to compare with.

        Raises:
            ImageError: an image is missing, or all labels and landmarks are.
        """
        scored = {metric.folder for pair in pairs for metric in self._metrics(pair)}
        wanted = {metric.folder for metric in self.protocol.metrics} - {IMAGES}
        if wanted and not scored - {IMAGES}:
            raise ImageError(self._nothing_to_compare(pairs, sorted(wanted)))

    def _nothing_to_compare(self, pairs: Sequence[Pair], wanted: list[str]) -> str:
        first, kinds = pairs[0].fixed, " or ".join(wanted)
        path = self.truth.path(first, wanted[0])
        if path == self.truth.path(first, IMAGES):
            return (
                f"{path}: the folder of the images is not called {IMAGES}..., so it is not known "
                f"where their {kinds} lie; name the folders {IMAGES}Tr and {wanted[0]}Tr, for "
                "instance, also in the pair list"
            )
        return (
            f"{path}: no such file, nor any other {kinds} of the {len(pairs)} pairs; give "
            f"--ground-truth the folder that has them beside {IMAGES}"
        )

    def _metrics(self, pair: Pair) -> list[MetricBase]:
        """Those that the pair has ground truth for."""
        return [m for m in self.protocol.metrics if m.has_truth(pair, self.truth)]

    def _vectors(self, pair: Pair, name: str) -> Float[np.ndarray, "x y z 3"]:
        shape = self.task.data.shape or grid_shape(self.truth.path(pair.fixed, IMAGES))
        stored = self.submission.read(name, most_bytes(shape))
        return as_vectors(stored, shape, self.task, name)


def _case_name(task: Task, pair: Pair) -> str:
    if task.field.names == "stem":
        return pair.name
    scans = (pair.fixed, pair.moving)
    visits = task.field.names == "psmareg"
    return "<--".join("_".join(scan.visit if visits else scan.ids) for scan in scans)
