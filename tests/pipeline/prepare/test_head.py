"""One head on its way to the challenge's grid."""

from dataclasses import replace

import numpy as np
import pytest

from l2r.errors import ImageError
from l2r.formats.volumes import Image
from l2r.transforms.grids import Grid
from pipeline.prepare.bias import bias_field
from pipeline.prepare.brain import Mask, largest
from pipeline.prepare.head import PrepareHead, above_zero
from pipeline.prepare.template import GRID, coverage, is_t1, template, template_on_grid, white_level
from tests.models.affine.heads import error_mm
from tests.pipeline.prepare.conftest import TRUE, KnownBrain, brain_in_head


@pytest.mark.slow
def test_a_head_comes_to_lie_on_the_template(head: Image, prepare_head: PrepareHead) -> None:
    found = prepare_head(head)

    assert found.volume.shape == GRID.shape
    assert error_mm(found.matrix, TRUE) < 1.0  # less than half a voxel of the head
    assert white_level(found.volume.astype(np.float32)) == pytest.approx(110, abs=1)
    assert found.steps["correlation"] > 0.9
    assert not found.steps["already_stripped"]
    assert np.array_equal(found.brain, brain_in_head() > 40)


@pytest.mark.slow
def test_an_image_on_the_grid_is_left_as_it_is(prepare_head: PrepareHead) -> None:
    image = np.rint(template_on_grid() * 110 / white_level(template_on_grid()))

    found = prepare_head(Image(image.astype(np.float32), GRID.affine))

    assert np.array_equal(found.matrix, np.eye(4))
    changed = found.volume != image
    # The known brain leaves out what is darker than 40.
    assert not changed[image > 40].any()
    assert found.steps["already_stripped"]


@pytest.mark.slow
def test_half_a_brain_is_prepared_with_a_warning(head: Image, prepare_head: PrepareHead) -> None:
    half = Image(head.array[:, :, :55], head.affine)

    found = prepare_head(half)

    assert any("field of view holds" in warning for warning in found.warnings)


def test_air_is_brought_to_zero_where_the_brain_goes_below(head: Image) -> None:
    brain = brain_in_head() > 40
    shifted = above_zero(replace(head, array=head.array - 200), brain)
    assert np.allclose(shifted.array, head.array, atol=1e-4)


def test_padding_far_below_a_brain_of_positive_values_moves_nothing(head: Image) -> None:
    brain = brain_in_head() > 40
    padded = replace(head, array=np.where(head.array > 0, head.array, -1000))
    noisy = padded.array.copy()
    noisy[np.unravel_index(np.flatnonzero(brain)[::50], brain.shape)] = -3  # 2 % of the brain
    for array in (padded.array, noisy):
        assert above_zero(replace(head, array=array), brain).array is array


@pytest.mark.slow
def test_a_head_whose_brain_is_below_zero_is_prepared_as_any(
    head: Image, prepare_head: PrepareHead
) -> None:
    class Below(KnownBrain):
        def __call__(self, image: Image) -> Mask:
            return super().__call__(replace(image, array=image.array + 200))

    below = PrepareHead(Below())(replace(head, array=head.array - 200))
    assert np.array_equal(below.volume, prepare_head(head).volume)


def test_grey_matter_brighter_than_white_is_not_t1() -> None:
    brain = template_on_grid()
    assert is_t1(brain)
    assert not is_t1(np.where(brain > 0, 260 - brain, 0).astype(np.float32))
    assert not is_t1((brain > 0).astype(np.float32))


def test_the_bias_field_of_a_brain_is_found(head: Image) -> None:
    brain = brain_in_head() > 40
    field = bias_field(head, brain)
    profile = [field[:, y][brain[:, y]].mean() for y in (30, 60)]
    true = np.linspace(0.8, 1.2, head.shape[1])[[30, 60]]
    assert profile[1] / profile[0] == pytest.approx(true[1] / true[0], rel=0.05)
    assert field[brain].mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("grid", [Grid((10, 10, 10), np.eye(4)), Grid((20,) * 3, 9 * np.eye(4))])
def test_what_is_too_small_or_too_coarse_for_a_head_is_refused(
    grid: Grid, prepare_head: PrepareHead
) -> None:
    array = np.random.default_rng(0).random(grid.shape).astype(np.float32)
    affine = grid.affine.copy()
    affine[3, 3] = 1
    with pytest.raises(ImageError, match="hold no head"):
        prepare_head(Image(array, affine))


def test_an_image_without_a_brain_is_refused(prepare_head: PrepareHead) -> None:
    array = np.full((80, 80, 80), 1000, np.float32)
    array[:40] = 0
    with pytest.raises(ImageError, match="no brain was found"):
        prepare_head(Image(array, np.diag([2.0, 2, 2, 1])))


def test_a_brain_of_a_few_millilitres_is_refused(prepare_head: PrepareHead) -> None:
    array = np.zeros((80, 80, 80), np.float32)
    array[30:40, 30:40, 30:40] = 100
    with pytest.raises(ImageError, match="8 mL were taken for brain"):
        prepare_head(Image(array, np.diag([2.0, 2, 2, 1])))


def test_the_largest_part_of_a_mask_is_kept() -> None:
    mask = np.zeros((5, 5, 5), bool)
    mask[0, 0, 0] = mask[2:4, 2:4, 2:4] = True
    assert largest(mask).sum() == 8
    with pytest.raises(ImageError, match="no brain"):
        largest(np.zeros((3, 3, 3), bool))


def test_the_field_of_view_holds_the_template_itself_and_half_of_it() -> None:
    grid = template().grid
    assert coverage(grid, np.eye(4)) == 1.0
    half = Grid((40, *grid.shape[1:]), grid.affine)
    assert coverage(half, np.eye(4)) == pytest.approx(0.5, abs=0.03)  # brains are symmetric
