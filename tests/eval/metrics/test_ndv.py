"""Folded volume."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics.ndv import Ndv, non_diffeomorphic_volume
from tests.eval import oracles
from tests.eval.conftest import Phantom, save

SHAPE = (9, 8, 7)
EVERYWHERE = np.ones(SHAPE, bool)
INTERIOR = 7 * 6 * 5
INDEX = np.moveaxis(np.indices(SHAPE), 0, -1).astype(np.float64)

seeds = st.integers(0, 2**32 - 1)


def noise(seed: int, amplitude: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, amplitude, (*SHAPE, 3))


@pytest.mark.parametrize(
    "vectors", [np.zeros((*SHAPE, 3)), np.full((*SHAPE, 3), 7.5), 0.8 * INDEX, -0.8 * INDEX]
)
def test_a_shift_or_a_stretch_does_not_fold(vectors: np.ndarray) -> None:
    assert non_diffeomorphic_volume(vectors, EVERYWHERE) == 0.0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_field_folds_every_inner_voxel_once(axis: int) -> None:
    vectors = np.zeros((*SHAPE, 3))
    vectors[..., axis] = -2 * INDEX[..., axis]
    assert non_diffeomorphic_volume(vectors, EVERYWHERE) == pytest.approx(INTERIOR, rel=1e-12)


@settings(deadline=None, max_examples=25)
@given(seeds, st.sampled_from([0.1, 0.5, 2.0]))
def test_it_is_the_sum_of_ten_determinants(seed: int, amplitude: float) -> None:
    vectors = noise(seed, amplitude)
    inside = np.random.default_rng(seed).random(SHAPE) < 0.6
    expected = oracles.non_diffeomorphic_volume(vectors, inside)
    assert non_diffeomorphic_volume(vectors, inside) == pytest.approx(
        expected, rel=1e-10, abs=1e-12
    )


@settings(deadline=None, max_examples=25)
@given(seeds, st.permutations(range(3)))
def test_the_order_of_the_axes_does_not_matter(seed: int, axes: list[int]) -> None:
    vectors = noise(seed)
    turned = vectors.transpose(*axes, 3)[..., axes]
    assert non_diffeomorphic_volume(turned, EVERYWHERE.transpose(axes)) == pytest.approx(
        non_diffeomorphic_volume(vectors, EVERYWHERE), rel=1e-10
    )


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_the_volumes_of_parts_add_up(seed: int) -> None:
    vectors, part = noise(seed), np.random.default_rng(seed).random(SHAPE) < 0.3
    total = non_diffeomorphic_volume(vectors, part) + non_diffeomorphic_volume(vectors, ~part)
    assert non_diffeomorphic_volume(vectors, EVERYWHERE) == pytest.approx(total, rel=1e-10)


def test_the_outermost_voxels_never_count() -> None:
    shell = EVERYWHERE.copy()
    shell[1:-1, 1:-1, 1:-1] = False
    assert non_diffeomorphic_volume(noise(1, 3.0), shell) == 0.0


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_mask_is_left_alone(order: str) -> None:
    inside = np.ones(SHAPE, bool, order=order)
    non_diffeomorphic_volume(noise(2), inside)
    assert inside.all()


@pytest.mark.parametrize("planes", [1, 3, 100])
def test_the_size_of_the_slabs_does_not_show(planes: int) -> None:
    expected = non_diffeomorphic_volume(noise(5), EVERYWHERE)
    found = non_diffeomorphic_volume(noise(5), EVERYWHERE, planes=planes)
    assert found == pytest.approx(expected, rel=1e-12)  # only the order of a sum differs


@pytest.mark.parametrize("order", ["C", "F"])
def test_single_precision_is_enough_for_the_field_but_not_for_the_sum(order: str) -> None:
    stored = np.array(noise(6), np.float32, order=order)
    assert non_diffeomorphic_volume(stored, EVERYWHERE) == non_diffeomorphic_volume(
        stored.astype(float), EVERYWHERE
    )


@pytest.mark.parametrize("mask", ["moving", "fixed"])
def test_it_is_in_percent_of_the_foreground_that_the_task_names(
    mask: str, phantom: Phantom
) -> None:
    case = phantom.case(0)
    image = np.zeros((20, 18, 16), np.uint8)
    image[3:9, 3:9, 3:9] = 200
    number = {"moving": 1, "fixed": 2}[mask]
    save(phantom.folder / f"imagesVal/PHANTOM_{number:04}_0000.nii.gz", image)
    result = Ndv(name="NDV", mask=mask)(case)
    assert result.mean == 100 * non_diffeomorphic_volume(case.vectors, image > 0) / 6**3
    assert result.mean > 0
    assert (result.detailed, result.unregistered) == (result.mean, 0.0)


def test_the_foreground_may_be_a_mask(phantom: Phantom) -> None:
    mask = np.zeros((20, 18, 16), np.uint8)
    mask[4:10, 3:9, 3:9] = 2
    for number in (1, 2):
        save(phantom.folder / f"masksVal/PHANTOM_{number:04}_0000.nii.gz", mask)
    case = phantom.case(0)
    result = Ndv(name="NDV", mask="fixed", folder="masks")(case)
    assert result.mean == 100 * non_diffeomorphic_volume(case.vectors, mask > 0) / 6**3


def test_a_mask_of_ones_is_a_mask(phantom: Phantom) -> None:
    ones = np.ones((20, 18, 16), np.uint8)
    save(phantom.folder / "masksVal/PHANTOM_0002_0000.nii.gz", ones)
    assert Ndv(name="NDV", mask="fixed", folder="masks")(phantom.case(0)).mean > 0


def in_single_precision(vectors: np.ndarray, inside: np.ndarray) -> float:
    """The field is added to the grid, and everything computed, in single precision."""
    index = np.moveaxis(np.indices(vectors.shape[:3]), 0, -1).astype(np.float32)
    rounded = (index + vectors.astype(np.float32)).astype(np.float64) - index
    return oracles.non_diffeomorphic_volume(rounded, inside)


def test_places_may_be_rounded_to_single_precision(phantom: Phantom) -> None:
    case, fine = phantom.case(0), Ndv(name="NDV", mask="fixed")
    coarse = fine.model_copy(update={"precision": "single"})
    inside = case.foreground("fixed")
    voxels = inside[1:-1, 1:-1, 1:-1].sum()
    expected = 100 * in_single_precision(case.vectors, inside) / voxels
    assert coarse(case).mean == pytest.approx(expected, rel=3e-6)
    assert coarse(case).mean != fine(case).mean


@pytest.mark.parametrize("scale", [1e-3, 0.3, 1.0, 30.0, 1e6, 1e30])
def test_fields_of_any_size_are_sieved_without_loss(scale: float) -> None:
    vectors = scale * noise(8)
    expected = oracles.non_diffeomorphic_volume(vectors, EVERYWHERE)
    assert non_diffeomorphic_volume(vectors, EVERYWHERE) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("far", [1e3, 1e7])
def test_a_large_shift_hides_no_fold(far: float) -> None:
    expected = oracles.non_diffeomorphic_volume(noise(9, 0.4), EVERYWHERE)
    assert expected > 0
    found = non_diffeomorphic_volume(noise(9, 0.4) + far, EVERYWHERE)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("depth", [1e-9, 1e-6, 1e-3])
def test_the_shallowest_fold_counts(depth: float) -> None:
    vectors = np.zeros((*SHAPE, 3))
    vectors[4, 4, 4, 0] = 1 + depth  # passes its neighbour along x by that much
    expected = oracles.non_diffeomorphic_volume(vectors, EVERYWHERE)
    assert expected > 0
    assert non_diffeomorphic_volume(vectors, EVERYWHERE) == pytest.approx(expected, rel=1e-6)


def test_without_foreground_inside_there_is_no_percentage(phantom: Phantom) -> None:
    image = np.zeros((20, 18, 16), np.uint8)
    image[0] = 1
    save(phantom.folder / "imagesVal/PHANTOM_0001_0000.nii.gz", image)
    result = Ndv(name="NDV", mask="moving")(phantom.case(0))
    assert np.isnan(result.mean)
    assert np.isnan(result.unregistered)


@pytest.mark.golden
@pytest.mark.parametrize("part", ["masked", "full"])
@pytest.mark.parametrize("kind", ["smooth", "folded", "mild", "noise", "single_voxel"])
def test_the_published_volumes_are_reproduced(kind: str, part: str, golden) -> None:
    vectors = golden("ndv")
    field = np.moveaxis(vectors[f"{kind}.disp"][0], 0, -1)
    image = vectors["mask_image"]
    inside = image > 0 if part == "masked" else np.ones(image.shape, bool)
    volume = non_diffeomorphic_volume(field, inside)
    percent = 100 * volume / inside[1:-1, 1:-1, 1:-1].sum()
    for value, name in ((volume, "nd_volume"), (percent, "ndv_percent")):
        expected = vectors[f"{kind}.{part}.lumir.{name}"]
        np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-10)
