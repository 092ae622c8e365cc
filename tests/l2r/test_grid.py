"""Rules for grids, and the way to a working grid and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from l2r.arrays import Box, Shape
from l2r.grid import GridRule, WorkingGrid, cube_means, working_grid

shapes = st.tuples(*[st.integers(1, 6)] * 3)
boxes = st.builds(Box, st.tuples(*[st.integers(-8, 8)] * 3), shapes)
FAR = 16
"""More than any of these boxes reaches beyond any of these volumes."""


@pytest.mark.parametrize(
    ("fixed", "moving", "multiple", "box"),
    [
        ((160, 224, 192), (160, 224, 192), 32, Box((0, 0, 0), (160, 224, 192))),
        ((5, 6, 7), (4, 8, 7), 4, Box((-1, 0, 0), (8, 8, 8))),
        ((5, 6, 7), (5, 6, 7), 1, Box((0, 0, 0), (5, 6, 7))),
        ((1, 2, 3), (1, 2, 3), 8, Box((-3, -3, -2), (8, 8, 8))),
    ],
    ids=str,
)
def test_working_boxes_by_hand(
    fixed: tuple[int, int, int], moving: tuple[int, int, int], multiple: int, box: Box
) -> None:
    assert working_grid(fixed, moving, GridRule(multiple)).box == box


@given(shapes, shapes, st.integers(1, 9))
def test_a_working_box_is_the_smallest_centred_one_that_holds_both_images(
    fixed: tuple[int, int, int], moving: tuple[int, int, int], multiple: int
) -> None:
    box = working_grid(fixed, moving, GridRule(multiple)).box
    larger = np.maximum(fixed, moving)
    before, after = -np.array(box.start), np.array(box.start) + box.shape - larger
    assert (np.array(box.shape) % multiple == 0).all()
    assert (before >= 0).all()
    assert (after >= 0).all()
    assert (before + after < multiple).all()
    assert (abs(after - before) <= 1).all()


def test_a_box_of_a_fixed_shape_pads_and_crops_around_the_centre() -> None:
    rule = GridRule(exactly=(8, 4, 7))
    assert working_grid((5, 7, 7), (6, 6, 7), rule).box == Box((-1, 2, 0), (8, 4, 7))


def test_a_rule_names_the_nearest_shape_that_works() -> None:
    assert GridRule(32).problem((160, 224, 192)) is None
    assert GridRule(32).problem((150, 224, 193)) == (
        "axes must be multiples of 32, got (150, 224, 193); the nearest is (160, 224, 224)"
    )
    rule = GridRule(exactly=(160, 192, 224))
    assert rule.problem((160, 192, 224)) is None
    assert rule.problem((160, 224, 192)) == (
        "the grid must be (160, 192, 224), got (160, 224, 192)"
    )


def test_a_rule_for_coarser_voxels_says_what_it_means_for_finer_ones() -> None:
    assert GridRule(16).finer(2) == GridRule(32)
    assert GridRule(exactly=(4, 5, 6)).finer(3) == GridRule(3, (12, 15, 18))
    assert GridRule(8).finer(1) == GridRule(8)


@given(shapes, st.integers(1, 9), st.integers(1, 9))
def test_joined_rules_allow_what_both_allow(
    shape: tuple[int, int, int], first: int, second: int
) -> None:
    joined = GridRule(first).joined(GridRule(second))
    both = GridRule(first).problem(shape) is None and GridRule(second).problem(shape) is None
    assert (joined.problem(shape) is None) == both


def test_rules_that_no_grid_fulfils_are_refused() -> None:
    only = GridRule(exactly=(160, 192, 224))
    assert only.joined(GridRule(32)) == GridRule(32).joined(only) == GridRule(32, (160, 192, 224))
    assert only.joined(only) == only
    with pytest.raises(ValueError, match="axes must be multiples of 5"):
        GridRule(5).joined(only)
    with pytest.raises(ValueError, match=r"must be \(160, 192, 224\), got \(32, 32, 32\)"):
        GridRule(exactly=(32, 32, 32)).joined(only)


def ramp(shape: tuple[int, int, int]) -> np.ndarray:
    """An image that is linear in the index along each axis."""
    x, y, z = np.indices(shape)
    return (100 + 2 * x - 3 * y + 0.5 * z).astype(np.float32)


RATIOS = st.tuples(*[st.sampled_from([0.5, 0.8, 1.0, 1.5, 3.0])] * 3)


@given(RATIOS, st.sampled_from([1, 4, 16]))
def test_an_image_voxel_lies_where_the_formula_says(ratios: tuple, multiple: int) -> None:
    grid = working_grid((20, 16, 12), (20, 16, 12), GridRule(multiple), ratios)
    image = ramp(grid.shape)
    brought = grid.bring(image)
    assert brought.shape == grid.box.shape
    assert all(size % multiple == 0 for size in brought.shape)
    exact = np.array(grid.scaled) / grid.shape
    index = np.indices(grid.shape).reshape(3, -1).T
    places = (index + 0.5) * exact - 0.5 - grid.box.start
    inside = ((index >= 3) & (index < np.array(grid.shape) - 3)).all(axis=1)
    found = map_coordinates(brought, places[inside].T, order=1)
    np.testing.assert_allclose(found, image.reshape(-1)[inside], atol=2e-3)


@given(RATIOS, st.sampled_from([1, 4, 16]))
def test_a_placed_field_leads_to_the_same_tissue(ratios: tuple, multiple: int) -> None:
    grid = working_grid((20, 16, 12), (20, 16, 12), GridRule(multiple), ratios)
    exact = np.array(grid.scaled) / grid.shape
    step = np.array([1.5, -2.0, 0.75])  # in image voxels
    working = np.broadcast_to(step * exact, (*grid.box.shape, 3)).astype(np.float32)
    placed = grid.place(working)
    assert placed.shape == (*grid.shape, 3)
    np.testing.assert_allclose(placed, np.broadcast_to(step, placed.shape), rtol=1e-5)


def test_a_field_that_grows_along_an_axis_grows_as_fast_on_the_images_grid() -> None:
    grid = working_grid((10, 10, 10), (10, 10, 10), GridRule(), (2.0, 1.0, 1.0))
    working = np.zeros((20, 10, 10, 3), np.float32)
    working[..., 0] = np.arange(20)[:, None, None]  # working voxels
    placed = grid.place(working)[:, 0, 0, 0]
    np.testing.assert_allclose(placed, [(2 * (o + 0.5) - 0.5) / 2 for o in range(10)], rtol=1e-6)


def test_larger_voxels_are_means_of_what_they_cover() -> None:
    grid = working_grid((8, 4, 4), (8, 4, 4), GridRule(), (0.5, 1.0, 1.0))
    image = np.zeros((8, 4, 4), np.float32)
    image[4] = 1
    np.testing.assert_allclose(grid.bring(image)[:, 0, 0], [0, 1 / 16, 7 / 16, 0], rtol=1e-6)
    assert grid.bring(np.ones((8, 4, 4), np.float32)) == pytest.approx(1)


def test_a_moving_image_of_another_shape_is_resampled_alike() -> None:
    grid = working_grid((20, 10, 10), (26, 10, 10), GridRule(), (0.5, 1.0, 1.0))
    assert grid.box.shape == (13, 10, 10)
    fixed, moving = grid.bring(ramp((20, 10, 10))), grid.bring(ramp((26, 10, 10)))
    start = -grid.box.start[0]
    np.testing.assert_allclose(moving[start + 2 : start + 8], fixed[start + 2 : start + 8])


def test_without_resampling_nothing_is_copied_or_changed() -> None:
    grid = working_grid((5, 6, 7), (5, 6, 7), GridRule())
    field = np.random.default_rng(0).random((5, 6, 7, 3), np.float32)
    assert grid.place(field) is field
    assert grid == WorkingGrid((5, 6, 7), (5, 6, 7), Box((0, 0, 0), (5, 6, 7)))


def test_a_grid_that_crops_keeps_what_is_not_background_in_its_middle() -> None:
    rule = GridRule(exactly=(4, 8, 16))
    image = np.zeros((8, 8, 8), np.float32)
    image[5:8, 2, 3] = 1
    grid = working_grid((8, 8, 8), (8, 8, 8), rule).around(image, image)
    assert (grid.box.start, grid.cut_off(image)) == ((4, 0, -4), 0)
    other = np.zeros((8, 8, 8), np.float32)
    other[2] = 1
    assert grid.around(image, other).box.start == (3, 0, -4)
    finer = working_grid((8, 8, 8), (8, 8, 8), GridRule(exactly=(8, 16, 16)), (2.0, 2.0, 2.0))
    assert finer.around(image, image).box.start == (9, 0, 0)


def test_what_a_fixed_grid_would_cut_off_is_counted() -> None:
    grid = working_grid((8, 8, 8), (8, 8, 8), GridRule(exactly=(4, 8, 16)))
    image = np.zeros((8, 8, 8), np.float32)
    image[2:6] = 1
    assert grid.cut_off(image) == 0
    image[1, 2, 3] = image[7, 7, 7] = 5
    assert grid.cut_off(image) == 2
    doubled = working_grid((8, 8, 8), (8, 8, 8), GridRule(exactly=(8, 16, 16)), (2.0, 2.0, 2.0))
    assert doubled.cut_off(image) == 2


SLICE = (33, 40, 1)


@pytest.mark.parametrize(
    ("rule", "shape"),
    [
        (GridRule(16, least=32), (48, 48, 32)),
        (GridRule(16, least=32, slices="kept"), (48, 48, 1)),
        (GridRule(16, slices="only"), (48, 48, 1)),
        (GridRule(16, slices="kept").finer(2), (64, 64, 1)),
        (GridRule().joined(GridRule(8, slices="kept")), (40, 40, 1)),
        (GridRule(16).joined(GridRule(8, slices="kept")), (48, 48, 16)),
        (GridRule(8, slices="kept").joined(GridRule(16, slices="only")), (48, 48, 1)),
    ],
)
def test_a_slice_is_padded_or_kept(rule: GridRule, shape: Shape) -> None:
    assert rule.nearest(SLICE) == shape
    assert rule.problem(shape) is None


def test_a_rule_that_keeps_slices_is_the_same_for_volumes() -> None:
    for shape in [(33, 40, 5), (2, 2, 2)]:
        assert GridRule(8, slices="kept").nearest(shape) == GridRule(8).nearest(shape)


@pytest.mark.parametrize("shape", [(32, 48, 16), (32, 1, 48), (1, 32, 1)])
def test_a_network_in_two_dimensions_takes_slices_alone(shape: Shape) -> None:
    problem = GridRule(16, slices="only").problem(shape)
    assert problem == f"the network is for images of one slice, (x, y, 1), got {shape}"


def test_two_and_three_dimensions_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="one works in two dimensions, the other one in three"):
        GridRule(16).joined(GridRule(16, slices="only"))


def test_means_over_a_slice_are_of_squares() -> None:
    volume = np.arange(24, dtype=np.float32).reshape(4, 6, 1)
    expected = volume.reshape(2, 2, 3, 2).mean(axis=(1, 3))[..., None]
    np.testing.assert_array_equal(cube_means(volume, 2), expected)
