"""Words of the command line that choose, without numpy, so that help is fast."""

from enum import StrEnum


class MapName(StrEnum):
    """Maps of the Jacobian determinant."""

    DETERMINANT = "determinant"
    LOG = "log"
    FOLDS = "folds"


class InterpolationName(StrEnum):
    """Interpolations by name; `l2r.transforms.resample` has them."""

    LINEAR = "linear"
    CUBIC = "cubic"
    NEAREST = "nearest"
    GENERIC_LABEL = "generic-label"


class Units(StrEnum):
    """Units and axes of points."""

    VOXELS = "voxels"
    RAS = "ras"
    LPS = "lps"


class Side(StrEnum):
    """Images of a pair."""

    FIXED = "fixed"
    MOVING = "moving"
