"""The record that passes from prediction to placing, see `pipeline.register.stages`."""

from dataclasses import dataclass

from l2r.prepare import Prepared
from models.descent.objective import ImagePair
from models.types import Fields
from pipeline.register.manifest import DiceRecord, RefinementRecord


@dataclass(frozen=True)
class Predicted:
    """A displacement field for a prepared pair, on the device that computes."""

    prepared: Prepared
    images: ImagePair
    """The prepared images on the device."""
    field: Fields
    """In voxels of the working grid."""
    refinements: tuple[RefinementRecord, ...] = ()
    estimate: DiceRecord | None = None
    warnings: tuple[str, ...] = ()
    """Of predicting and refining."""
    still: bool = False
    """Whether a network with weights moved nothing, as one that is not trained does."""
