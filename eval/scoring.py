"""The judge's public face: scores the field of one pair, or all fields of a submission."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from eval.metrics.base import Case
from eval.metrics.catalog import Metric
from eval.parallel import in_order
from eval.protocol import Protocol, protocol_of
from eval.report import CaseScore, ScoreReport
from eval.truth import IMAGES, GroundTruth
from eval.warps import WARPS
from l2r.errors import ImageError
from l2r.formats.volumes import grid_shape
from l2r.name_rules import NAME_RULES
from l2r.pairs import Pair
from l2r.submission import Submission, as_vectors, locate, most_bytes
from l2r.task import Task

if TYPE_CHECKING:  # an extra
    from l2r.cluster.workers import Workers


def _ignore(_: CaseScore) -> None:
    pass


@dataclass(frozen=True)
class Scorer:
    """A task's scorer: its protocol, and the ground truth that it compares with."""

    task: Task
    protocol: Protocol
    truth: GroundTruth

    @classmethod
    def of(cls, task: Task, ground_truth: Path) -> "Scorer":
        """The scorer of a task.

        Args:
            task: says how the fields are named and what is computed.
            ground_truth: folder of the images, labels and landmarks; the pairs' paths are relative
                to it.

        Raises:
            TaskError: the task's protocol is faulty.
        """
        return cls(task, protocol_of(task), GroundTruth(ground_truth))

    def score_case(
        self,
        pair: Pair,
        vectors: Float[np.ndarray, "x y z 3"],
        kinds: Collection[str] | None = None,
    ) -> CaseScore:
        """Score one pair's field by the metrics that it has ground truth for.

        Args:
            pair: the images; labels and landmarks are found from their paths.
            vectors: displacements in voxels on the fixed grid, finite.
            kinds: which metrics, `dice` for instance; all of the protocol for None.

        Raises:
            ImageError: ground truth is missing or cannot be used.
        """
        metrics = [m for m in self._metrics(pair) if kinds is None or m.metric in kinds]
        case = Case(pair, vectors, self.truth, self.protocol.labels, WARPS[self.protocol.warp])
        results = {metric.name: metric(case) for metric in metrics}
        groups = (group.name for group in self.protocol.aggregates.groups if group.holds(pair))
        name = NAME_RULES[self.task.field.names].case(pair)
        return CaseScore(name, results, tuple(groups), tuple(case.orientation_notes()))

    def score_submission(
        self,
        submission: Submission,
        pairs: list[Pair],
        *,
        jobs: int = 1,
        workers: "Workers | None" = None,
        done: Callable[[CaseScore], None] = _ignore,
    ) -> ScoreReport:
        """Score a submission as the task's scorer would.

        Args:
            submission: the fields.
            pairs: at least one.
            jobs: processes that score at the same time; each holds one case in memory.
            workers: of a cluster, which do it instead.
            done: called with every case as soon as it and all before it are scored.

        Raises:
            DatasetError: the pairs' names do not fit the task's rule.
            ImageError: ground truth is missing or cannot be used.
            FieldError: a field is missing, has a wrong shape, or holds values
                that are not finite.
            ScoringError: a process was killed.
            ClusterError: a worker was killed several times, or the scheduler is gone.
        """
        located = locate(submission, self.task.field, pairs)
        self._require_truth(pairs)
        cases = []
        work, items = partial(self._score_stored, submission), list(located.items())
        for case in workers.in_order(work, items) if workers else in_order(work, items, jobs):
            cases.append(case)
            done(case)
        return ScoreReport(self.protocol, tuple(cases))

    def _score_stored(self, submission: Submission, located: tuple[Pair, str]) -> CaseScore:
        pair, name = located
        shape = self.task.data.shape or grid_shape(self.truth.path(pair.fixed, IMAGES))
        stored = submission.read(name, most_bytes(shape))
        return self.score_case(pair, as_vectors(stored, shape, self.task, name))

    def _metrics(self, pair: Pair) -> list[Metric]:
        """The metrics that the pair has ground truth for."""
        return [m for m in self.protocol.metrics if m.has_truth(pair, self.truth)]

    def _require_truth(self, pairs: Sequence[Pair]) -> None:
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


def score_case(
    task: Task, vectors: Float[np.ndarray, "x y z 3"], pair: Pair, ground_truth: Path
) -> CaseScore:
    """Score one field of a task; for many, `Scorer.score_case` parses the protocol once.

    Raises:
        TaskError: the task's protocol is faulty.
        ImageError: ground truth is missing or cannot be used.
    """
    return Scorer.of(task, ground_truth).score_case(pair, vectors)


def score_submission(
    submission: Submission, task: Task, pairs: list[Pair], ground_truth: Path
) -> ScoreReport:
    """Score a submission to a task, see `Scorer.score_submission`.

    Raises:
        L2RError: the submission or what it is compared with cannot be used.
    """
    return Scorer.of(task, ground_truth).score_submission(submission, pairs)
