import pytest
import torch
from torch import Tensor

from models.losses.anatomy import SoftLabelPair
from models.segmentation.estimate import DiceEstimate, estimate_dice


def cube(first: int) -> Tensor:
    stack = torch.zeros(1, 2, 12, 12, 12)
    stack[:, :, first : first + 4, 4:8, 4:8] = 1
    return stack


def shift(voxels: float, size: int = 12) -> Tensor:
    field = torch.zeros(1, 3, size, size, size)
    field[:, 0] = voxels
    return field


PAIR = SoftLabelPair(cube(2), cube(4), (17, 53))


@pytest.mark.parametrize(("voxels", "dice"), [(0, 0.5), (1, 0.75), (2, 1.0)])
def test_it_is_dice_where_labels_are_sharp(voxels: float, dice: float) -> None:
    found = estimate_dice(PAIR, shift(voxels))
    assert found.dice == pytest.approx(dice, abs=1e-5)
    assert found.before == pytest.approx(0.5, abs=1e-5)
    assert found.structures == pytest.approx({17: dice, 53: dice}, abs=1e-5)


def test_the_field_may_be_finer_than_the_soft_labels() -> None:
    assert estimate_dice(PAIR, shift(4.0, size=24)).dice == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("dice", "before", "reason"),
    [
        (0.78, 0.6, None),
        (0.40, 0.2, "estimated Dice is 0.40; registered brains have 0.55 or more"),
        (0.60, 0.65, "estimated Dice went from 0.65 to 0.60"),
        (0.701, 0.70, "estimated Dice went from 0.70 to 0.70"),
        (0.96, 0.97, None),
    ],
)
def test_what_is_low_or_became_no_better_is_suspect(
    dice: float, before: float, reason: str | None
) -> None:
    assert DiceEstimate(dice, before, {}).suspect == reason
