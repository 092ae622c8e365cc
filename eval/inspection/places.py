"""Places of everything that a report is made of, in a form that travels to other processes."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

from eval.inspection.field_look import Candidate, FieldReader
from eval.inspection.inspector import Inspector, NumberedPair
from eval.inspection.outcome import PairOutcome
from eval.protocol import protocol_of
from eval.run_record import find_record
from eval.truth import GroundTruth
from l2r.path_names import distinct_names
from l2r.submission import open_submission
from l2r.task import Task

_inspectors: dict[str, Inspector] = {}
"""The one of the last report that this process has worked for, if any."""


@dataclass(frozen=True)
class ReportPlaces:
    """Submissions, ground truth and the folder of the pages.

    Records of ten thousand pairs would be too much to send with every pair, so each process reads
    them for itself, once a report.
    """

    task: Task
    submissions: tuple[Path, ...]
    ground_truth: Path
    assets: Path
    report: str = field(default_factory=lambda: uuid4().hex)
    """Tells this report from others that a long-lived process worked for."""

    def __call__(self, item: NumberedPair) -> PairOutcome:
        """Inspect a pair and write its pages.

        Raises:
            OutputError: they cannot be written.
            L2RError: a submission cannot be used.
        """
        return self.inspector()(item)

    def inspector(self) -> Inspector:
        """Open the submissions and read their records, once in a process.

        Raises:
            L2RError: a submission cannot be used.
        """
        if self.report not in _inspectors:
            reader = FieldReader(self.task, protocol_of(self.task), GroundTruth(self.ground_truth))
            candidates = map(_candidate, distinct_names(self.submissions), self.submissions)
            _inspectors.clear()
            _inspectors[self.report] = Inspector(reader, tuple(candidates), self.assets)
        return _inspectors[self.report]

    def absolute(self) -> "ReportPlaces":
        """The same under paths that mean the same in every folder."""
        return replace(
            self,
            submissions=tuple(path.absolute() for path in self.submissions),
            ground_truth=self.ground_truth.absolute(),
            assets=self.assets.absolute(),
        )


def _candidate(name: str, path: Path) -> Candidate:
    submission = open_submission(path)
    return Candidate(name, submission, frozenset(submission.names()), find_record(path))
