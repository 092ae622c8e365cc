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
