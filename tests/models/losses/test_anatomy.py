import pytest
import torch
from torch import Tensor

from models.descent.transform import FieldTransform
from models.losses.anatomy import Anatomy, SoftLabelPair
from models.losses.dice import SoftDice
from models.spatial.parametrisation import Displacement
from models.spatial.warp import resize_field, warp

LABELS = (17, 53)


def stacks(seed: int) -> Tensor:
    return torch.rand((1, 2, 4, 5, 6), generator=torch.Generator().manual_seed(seed))


def transform(field: Tensor) -> FieldTransform:
    image = torch.zeros(1, 1, 8, 10, 12)
    return FieldTransform(image, Displacement(), field, None)


def random_field(*shape: int) -> Tensor:
    return torch.randn((1, 3, *shape), generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize("shape", [(8, 10, 12), (4, 5, 6), (2, 3, 3)])
def test_it_is_soft_dice_of_the_warped_soft_labels(shape: tuple[int, int, int]) -> None:
    fixed, moving, field = stacks(0), stacks(1), random_field(*shape)
    found = Anatomy(weight=2.0).bind(SoftLabelPair(fixed, moving, LABELS))(transform(field))
    warped = warp(moving, resize_field(field, (4, 5, 6)))
    torch.testing.assert_close(found, 2 * SoftDice().bind(fixed)(warped))


def test_structures_weigh_what_they_are_given() -> None:
    fixed, moving, field = stacks(0), stacks(1), random_field(4, 5, 6)
    both = [
        Anatomy(structures={other: 0.0}).bind(SoftLabelPair(fixed, moving, LABELS))(
            transform(field)
        )
        for other in ("53", "17")
    ]
    mixed = Anatomy(structures={"17": 3.0}).bind(SoftLabelPair(fixed, moving, LABELS))(
        transform(field)
    )
    torch.testing.assert_close(mixed, (3 * both[0] + both[1]) / 4)
    one = SoftDice().bind(fixed[:, :1])(warp(moving[:, :1], field))
    torch.testing.assert_close(both[0], one)


def test_its_gradient_reaches_the_field() -> None:
    field = random_field(4, 5, 6).requires_grad_()
    loss = Anatomy().bind(SoftLabelPair(stacks(0), stacks(1), LABELS))(transform(field))
    (gradient,) = torch.autograd.grad(loss, field)
    assert float(gradient.abs().sum()) > 0


def test_unknown_structures_and_no_structure_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="no structure '99'; known are 17, 53"):
        Anatomy(structures={"99": 1.0}).bind(SoftLabelPair(stacks(0), stacks(1), LABELS))
    with pytest.raises(ValueError, match="all of them weigh nothing"):
        Anatomy(structures={"17": 0, "53": 0}).bind(SoftLabelPair(stacks(0), stacks(1), LABELS))
