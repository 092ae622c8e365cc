"""The resamplings of label maps that scorers use: a warp is one file and one word of the table."""

from typing import Annotated

from eval.metrics.base import Warp
from eval.warp import warp_nearest
from eval.warp_psma import warp_like_grid_sample
from l2r.schema import word_of

WARPS: dict[str, Warp] = {
    "map_coordinates": warp_nearest,
    "grid_sample": warp_like_grid_sample,
}
"""Every warp by the word that a protocol has for it."""


WarpName = Annotated[str, word_of(WARPS, "warp")]
"""A word of the table."""
