"""The resamplings of label maps that scorers use: a warp is one file and one word of the table."""

from typing import Annotated

from pydantic import AfterValidator

from eval.metrics.base import Warp
from eval.warp import warp_nearest
from eval.warp_psma import warp_like_grid_sample

WARPS: dict[str, Warp] = {
    "map_coordinates": warp_nearest,
    "grid_sample": warp_like_grid_sample,
}
"""Every warp by the word that a protocol has for it."""


def _known(name: str) -> str:
    if name not in WARPS:
        raise ValueError(f"no warp {name!r}; there are {', '.join(WARPS)}")
    return name


WarpName = Annotated[str, AfterValidator(_known)]
"""A word of the table."""
