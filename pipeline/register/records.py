"""The records that pass from stage to stage of a pair, see `pipeline.register.stages`."""

from dataclasses import dataclass

from l2r.arrays import Vectors
from l2r.prepare import Prepared
from models.descent.objective import ImagePair
from models.types import Fields
from pipeline.register.manifest import RefinementRecord


@dataclass(frozen=True)
class Predicted:
    """A displacement field for a prepared pair, on the device that computes."""

    prepared: Prepared
    images: ImagePair
    """The prepared images on the device."""
    field: Fields
    """In voxels of the working grid."""
    refinements: tuple[RefinementRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    """Of predicting and refining."""


@dataclass(frozen=True)
class Registered:
    """The field of a pair in the memory of the host."""

    prepared: Prepared
    vectors: Vectors
    """In voxels of the working grid."""
    refinements: tuple[RefinementRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    """Of the whole life of the pair."""
