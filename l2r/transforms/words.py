"""Words that choose; no numpy, so that a command line has them for its help."""

from typing import Literal, TypeAlias

Interpolation: TypeAlias = Literal["linear", "cubic", "nearest", "generic-label"]
