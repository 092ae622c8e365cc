"""Dice coefficient of structures."""

from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int

from eval.metrics.base import Case, Result, mean_of_defined
from eval.metrics.structural import StructureMetric
from eval.structures import IndexMap, joint_sizes


def overlaps(fixed: IndexMap, warped: IndexMap, count: int) -> Float[np.ndarray, " structures"]:
    """Dice coefficient of each structure, `2 |A & B| / (|A| + |B|)`.

    Args:
        fixed: structures on the fixed grid, counted from 1.
        warped: the moving structures, resampled onto the fixed grid by nearest neighbour.
        count: how many structures there are.

    Returns:
        Fractions between 0 and 1, higher is better; NaN if neither map holds the structure.

    Example:
        >>> a = np.zeros((2, 2, 2), np.uint8); a[0] = 1
        >>> b = np.zeros((2, 2, 2), np.uint8); b[0, 0] = 1
        >>> overlaps(a, b, 2).round(3)
        array([0.667,   nan])

    Source:
        Dice, L. R. (1945), Ecology 26(3), doi:10.2307/1932409.
        Undefined cases follow google-deepmind/surface-distance: NaN, not 0 and not 1.
    """
    return dice_of(joint_sizes(fixed, warped, count))


def dice_of(joint: Int[np.ndarray, "rows columns"]) -> Float[np.ndarray, " structures"]:
    """Dice coefficient of each structure by joint numbers of voxels, see `joint_sizes`."""
    with np.errstate(invalid="ignore"):
        return (2 * joint.diagonal() / (joint.sum(axis=0) + joint.sum(axis=1)))[1:]


class Dice(StructureMetric):
    """Mean Dice coefficient of the protocol's structures.

    A structure that is absent from the fixed or from the unwarped moving map is left out; one that
    vanishes in warping counts as 0. LUMIR lists the background among its structures.

    Source:
        `compute_dice` of the LUMIR scorer, github.com/JHU-MedImage-Reg/LUMIR_L2R; with `absent`
        "both", `scoring.py` of github.com/JHU-MedImage-Reg/Learn2Reg26_PSMA.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    metric: Literal["dice"] = "dice"
    unit: Literal[""] = ""

    def __call__(self, case: Case) -> Result:
        structures = self.structures(case)
        registered, unregistered = (
            np.where(self.candidates(structures), dice_of(joint), np.nan)
            for joint in (structures.joint_warped, structures.joint_unregistered)
        )
        return Result(
            mean=mean_of_defined(registered),
            detailed=tuple(registered.tolist()),
            labels=structures.labels,
            unregistered=mean_of_defined(unregistered),
        )
