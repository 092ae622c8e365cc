"""Change of the tumour burden of a PET scan by registration."""

from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float

from eval.metrics.base import Case, MetricBase, Result
from l2r.formats.volumes import read_image

_LEAST = 1e-6
"""Least value that the scorer divides by."""


def burden(lesions: Bool[np.ndarray, "_ _ _"], uptake: Float[np.ndarray, "_ _ _"] | None) -> float:
    """Metabolic tumour volume in voxels, or total lesion glycolysis: the uptake summed over it.

    Example:
        >>> lesions = np.ones((2, 1, 1), bool)
        >>> burden(lesions, None), burden(lesions, np.full((2, 1, 1), 1.5))
        (2.0, 3.0)
    """
    if uptake is None:
        return float(np.count_nonzero(lesions))
    return float(uptake[lesions].sum(dtype=np.float64))


def percent_error(before: float, after: float) -> float:
    """`100 |after - before| / max(before, 1e-6)`.

    Example:
        >>> percent_error(200.0, 150.0)
        25.0
    """
    return 100 * abs(after - before) / max(before, _LEAST)


class LesionBurden(MetricBase):
    """Change of the lesions' volume (MTV) or uptake (TLG) by warping their labels, in percent.

    For the uptake, the scorer lays the warped labels over the PET as it was before registration;
    the note gives the change where the PET is warped along with them, by nearest neighbour.

    Source:
        `scoring.py` of github.com/JHU-MedImage-Reg/Learn2Reg26_PSMA.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    metric: Literal["lesions"] = "lesions"
    unit: Literal["%"] = "%"
    folder: str = "labels"
    """Folder of the label maps whose positive voxels are lesions."""
    uptake: str | None = None
    """Kind of the PET images that are summed; the volume where it is not given."""

    def __call__(self, case: Case) -> Result:
        maps = case.label_maps(self.folder)
        before, after = maps.moving > 0, maps.warped > 0
        if self.uptake is None:
            error = percent_error(burden(before, None), burden(after, None))
            return Result(error, detailed=error)
        pet = read_image(case.path("moving", self.uptake)).array
        whole = burden(before, pet)
        error = percent_error(whole, burden(after, pet))
        right = percent_error(whole, _warped_uptake(case, before, pet))
        return Result(error, detailed=error, note=_note(error, right))


def _warped_uptake(
    case: Case, lesions: Bool[np.ndarray, "x y z"], pet: Float[np.ndarray, "x y z"]
) -> float:
    """Total uptake of the lesions if labels and PET are warped alike."""
    numbers = np.zeros(lesions.shape, np.int64)
    numbers[lesions] = 1 + np.flatnonzero(lesions)
    warped = case.warp(numbers, case.vectors)
    return float(pet.ravel()[warped[warped > 0] - 1].sum(dtype=np.float64))


def _note(error: float, right: float) -> str:
    return "" if right == error else f"{right:.4f} where the PET is warped along with the lesions"
