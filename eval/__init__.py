"""The judge: scores a submission exactly as the organisers' scorer does, faults included.

Everything here is numpy and scipy; torch, the models and the pipeline are forbidden.

What LUMIR's scorer does that one might not expect, and so does this one under its protocol:

    Dice, HD95    leave out a structure that the fixed or the unwarped moving map lacks; the
                  background is a structure like any other
    HD95          is in voxels, and infinite for a structure that vanishes in warping, and so is
                  the mean
    TRE           is the distance of the centroids of warped blobs, in voxels; one that vanishes
                  makes the mean NaN; what is called detailed is the mean again
    NDV           is in percent of the moving image's foreground in 2024, of the fixed image's in
                  2025; the outermost voxels of the grid do not count
    aggregates    are plain means over cases, so one NaN or infinity takes all of them

Where a value is spoilt like this, a note under the table says what it would be without. What the
scorers of other challenges do stands in docs/protocols.md.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eval.scoring import score_case

__all__ = ["score_case"]


def __getattr__(name: str) -> object:
    """Import the scorer when it is first used: commands start without scipy."""
    if name == "score_case":
        from eval.scoring import score_case  # noqa: PLC0415

        return score_case
    raise AttributeError(f"module 'eval' has no attribute {name!r}")
