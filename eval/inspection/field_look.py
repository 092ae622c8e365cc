"""One submission's field for one pair: read, scored, measured, and ready to be drawn."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from eval.inspection.measures import Flag, flags_of, measure
from eval.inspection.outcome import FieldOutcome, StructureScore
from eval.inspection.shown_metrics import shown_metrics
from eval.inspection.stills import FieldMaps
from eval.maps.pair_images import PairImages
from eval.metrics.base import Case, Role
from eval.metrics.dice import dice_of
from eval.protocol import Protocol
from eval.run_record import RecordedPair, RecordedRun
from eval.structures import Structures
from eval.truth import GroundTruth
from eval.warps import WARPS
from l2r.errors import FieldError, ImageError, L2RError
from l2r.formats.volumes import Image
from l2r.pairs import Pair
from l2r.submission import Submission, accepted_names, as_vectors, most_bytes, why_missing
from l2r.task import Task

LABELS = "labels"


@dataclass(frozen=True)
class Candidate:
    """A submission that is looked at."""

    name: str
    submission: Submission
    files: frozenset[str]
    """Names of all its files."""
    record: RecordedRun | None

    def recorded(self, name: str) -> RecordedPair | None:
        """The run's record of a field, if there is one."""
        return self.record.pairs.get(name) if self.record else None


@dataclass(frozen=True)
class FieldLook:
    """A field with all that is drawn of it."""

    outcome: FieldOutcome
    maps: FieldMaps | None = None
    """None where the field cannot be used."""
    structures: Structures | None = None
    """On the whole fixed grid; None without labels."""


@dataclass(frozen=True)
class FieldReader:
    """Reads and scores fields by the rules of a task."""

    task: Task
    protocol: Protocol
    truth: GroundTruth

    def look(self, candidate: Candidate, pair: Pair, images: PairImages) -> FieldLook:
        """Read a field, score and measure it; one that cannot be used is an outcome too."""
        names = accepted_names(self.task.field, pair)
        name = next((each for each in names if each in candidate.files), names[0])
        record = candidate.recorded(name)
        try:
            vectors = self._read(candidate, name, images)
        except L2RError as error:
            return FieldLook(unusable(candidate.name, error))
        read: dict[Role, Image] = {"fixed": images.fixed_image, "moving": images.moving_image}
        warp = WARPS[self.protocol.warp]
        case = Case(pair, vectors, self.truth, self.protocol.labels, warp, read)
        maps = FieldMaps(
            vectors[images.slab], images.displayed(case.images[1]), images.determinants(vectors)
        )
        estimate = record.estimate if record else None
        outcome = FieldOutcome(
            candidate.name,
            seconds=_seconds(record),
            estimated_dice=estimate.dice if estimate else None,
        )
        structures = None
        try:
            outcome = replace(outcome, scores=self._scores(case))
            structures = self._structures(case)
        except ImageError as error:
            outcome = replace(outcome, flags=(Flag("not scored", str(error)),))
        measures = measure(images, vectors, maps.warped, maps.determinants)
        outcome = replace(
            outcome,
            measures=measures,
            flags=(*outcome.flags, *flags_of(measures, record)),
            structures=_dice(structures),
        )
        return FieldLook(outcome, maps, structures)

    def _read(
        self, candidate: Candidate, name: str, images: PairImages
    ) -> Float[np.ndarray, "x y z 3"]:
        if name not in candidate.files:
            raise FieldError(f"{name}: {why_missing(name, sorted(candidate.files))}")
        shape = images.fixed_image.shape
        return as_vectors(
            candidate.submission.read(name, most_bytes(shape)), shape, self.task, name
        )

    def _scores(self, case: Case) -> dict[str, float]:
        shown = shown_metrics(self.protocol)
        return {m.name: m(case).mean for m in shown if m.has_truth(case.pair, case.truth)}

    def _structures(self, case: Case) -> Structures | None:
        if not self.truth.has(case.pair, LABELS):
            return None
        return case.structures(LABELS, case.labels)


def unusable(submission: str, error: L2RError) -> FieldOutcome:
    """The outcome of what cannot be read."""
    return FieldOutcome(submission, (Flag("unusable", str(error)),))


def _seconds(record: RecordedPair | None) -> float | None:
    return sum(record.seconds.values()) if record and record.seconds else None


def _dice(structures: Structures | None) -> tuple[StructureScore, ...]:
    if structures is None:
        return ()
    before, after = (
        dice_of(joint).tolist()
        for joint in (structures.joint_unregistered, structures.joint_warped)
    )
    found = zip(structures.labels, before, after, structures.defined, strict=True)
    return tuple(StructureScore(label, b, a) for label, b, a, defined in found if defined)
