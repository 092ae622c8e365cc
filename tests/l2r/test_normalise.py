"""Intensities, whatever scale and faults a file has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter

from l2r.errors import ImageError
from l2r.normalise import Divide, Quantile

varied = arrays(np.float32, (4, 3, 2), elements=st.floats(0, 4096, width=32)).filter(
    lambda volume: volume.max() > volume.min() + 1e-3
)
many = arrays(np.float32, (4, 3, 2), elements=st.floats(0, 4096, width=32), unique=True)
LUMIR = Divide(by=255, bright=120)
CT = Quantile(low=0.001, high=0.999)
SHAPE = (40, 44, 36)


def brain(seed: int = 0) -> np.ndarray:
    """Smooth tissue of 10 to 130 in an ellipsoid, background 0, as the sample's brains are."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij"))
    inside = (places**2).sum(axis=0) < 0.7
    texture = gaussian_filter(rng.standard_normal(SHAPE), 2)
    texture = (texture - texture[inside].mean()) / texture[inside].std()
    return np.where(inside, np.clip(75 + 30 * texture, 10, 130), 0).astype(np.float32)


BRAIN = brain()
TISSUE = BRAIN > 0


def standardised(volume: np.ndarray) -> np.ndarray:
    return (volume - volume.mean()) / volume.std()


def standardised_inside(volume: np.ndarray) -> np.ndarray:
    tissue = volume[volume > 0]
    return np.where(volume > 0, (volume - tissue.mean()) / tissue.std(), 0)


SCALES = {
    "[0, 1]": lambda v: v / 255,
    "[0, 1] by the maximum": lambda v: v / v.max(),
    "12 bits": lambda v: v * 16,
    "16 bits": lambda v: np.rint(v * 200).astype(np.int16),
    "tiny": lambda v: v * 1e-30,
    "huge": lambda v: v * 1e30,
    "[-1, 1]": lambda v: v / v.max() * 2 - 1,
    "shifted by -1000": lambda v: v - 1000,
    "shifted by 1000": lambda v: v + 1000,
    "standardised": standardised,
    "standardised inside": standardised_inside,
}


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_an_image_on_another_scale_is_brought_to_the_tasks_and_that_is_said(scale) -> None:
    found = LUMIR(np.asarray(scale(BRAIN), np.float32))
    assert found.warning is not None
    assert "another scale" in found.warning
    assert found.volume.dtype == np.float32
    assert np.quantile(found.volume[TISSUE], 0.99) == pytest.approx(120 / 255, rel=0.02)
    assert (found.volume[~TISSUE] == 0).all()
    assert found.volume.min() == 0
    right = BRAIN / 255
    assert np.corrcoef(found.volume[TISSUE], right[TISSUE])[0, 1] > 0.999
    assert np.abs(found.volume - right)[TISSUE].mean() < 0.05


@pytest.mark.parametrize("factor", [0.35, 0.7, 1.0, 255 / 130])
def test_an_image_on_the_tasks_scale_stays_bit_for_bit_without_a_word(factor: float) -> None:
    volume = (BRAIN * np.float32(factor)).astype(np.float32)
    found = LUMIR(volume)
    assert found.warning is None
    assert np.array_equal(found.volume, volume / np.float32(255))


@pytest.mark.parametrize("outlier", [1e6, 300, -20, -32768])
def test_one_voxel_does_not_decide_about_the_scale_and_is_clipped(outlier: float) -> None:
    volume = BRAIN.copy()
    volume[20, 20, 20] = outlier
    found = LUMIR(volume)
    assert found.warning is not None
    assert "1 voxels lie beyond -12.75 to 260.1 and were clipped" in found.warning
    assert found.volume[20, 20, 20] == pytest.approx(1.02 if outlier > 0 else -0.05)
    others = np.ones(SHAPE, bool)
    others[20, 20, 20] = False
    assert np.array_equal(found.volume[others], (BRAIN / np.float32(255))[others])


def test_a_few_very_bright_vessels_are_clipped() -> None:
    volume = BRAIN.copy()
    vessels = np.random.default_rng(0).random(SHAPE) < 0.005
    volume[vessels & TISSUE] = 2000
    found = LUMIR(volume)
    assert found.warning is not None
    assert found.volume.max() == np.float32(1.02)
    assert np.array_equal(found.volume[~vessels], (BRAIN / np.float32(255))[~vessels])


def test_noise_around_the_tissue_does_not_hide_the_scale() -> None:
    noise = np.random.default_rng(1).normal(0, 3, SHAPE)
    found = LUMIR(standardised(BRAIN + noise).astype(np.float32))
    assert found.warning is not None
    assert np.corrcoef(found.volume.ravel(), BRAIN.ravel())[0, 1] > 0.99


def test_a_background_brighter_than_the_tissue_is_refused() -> None:
    with pytest.raises(ImageError, match="the background, 1, is brighter than the foreground"):
        LUMIR(np.where(TISSUE, BRAIN / 255, 1).astype(np.float32))


def test_intensities_are_divided() -> None:
    volume = np.float32([0, 51, 255]).reshape(3, 1, 1)
    divided = Divide(by=255)(volume).volume
    assert divided.dtype == np.float32
    np.testing.assert_allclose(divided.ravel(), [0, 0.2, 1], rtol=1e-6)


@given(many, st.floats(0.5, 5000))
def test_nothing_that_a_file_may_hold_leaves_the_range_by_far(
    volume: np.ndarray, by: float
) -> None:
    found = Divide(by=by)(volume).volume
    assert np.isfinite(found).all()
    assert found.min() >= 0


def test_intensities_are_clipped_to_two_quantiles() -> None:
    volume = np.arange(11, dtype=np.float32).reshape(11, 1, 1)
    scaled = Quantile(low=0.1, high=0.6)(volume).volume  # quantiles are 1 and 6
    assert scaled.dtype == np.float32
    expected = [0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(scaled.ravel(), expected, rtol=1e-6)


@given(varied, st.floats(0, 0.4), st.floats(0.6, 1))
def test_quantiles_keep_the_order_and_stay_between_0_and_1(
    volume: np.ndarray, low: float, high: float
) -> None:
    scaled = Quantile(low=low, high=high)(volume).volume
    assert scaled.shape == volume.shape
    assert (scaled.min(), scaled.max()) == (0, 1)
    in_order = scaled.ravel()[volume.ravel().argsort()]
    assert (np.diff(in_order) >= 0).all()


def test_an_image_that_is_mostly_background_is_scaled_by_its_extremes() -> None:
    volume = np.zeros((10, 10, 10), np.float32)
    volume[0, 0] = range(0, 50, 5)
    scaled = Quantile(low=0.0, high=0.5)(volume).volume
    np.testing.assert_allclose(scaled[0, 0], np.arange(0, 50, 5) / 45, rtol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(-0.1, 1), (0, 1.1), (1, 1), (0, 0), (0.9, 0.1)])
def test_quantiles_that_are_none_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValidationError):
        Quantile(low=low, high=high)


def test_where_there_is_enough_background_a_low_quantile_is_the_minimum() -> None:
    assert np.array_equal(CT(BRAIN).volume, Quantile(low=0.0, high=0.999)(BRAIN).volume)
    assert CT(BRAIN).warning is None


def thorax(padding: float, *, blended: bool = False) -> np.ndarray:
    """A CT: soft tissue and bone in air, padded beyond the circle of reconstruction."""
    volume = np.where(TISSUE, BRAIN * 12 - 300, -1000).astype(np.float32)
    x, y, _ = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    beyond = (x**2 + y**2 > 1).astype(np.float32)
    if blended:
        beyond = np.clip(2 * gaussian_filter(beyond, 0.5) - 0.5, 0, 1)
    return (volume * (1 - beyond) + padding * beyond).astype(np.float32)


@pytest.mark.parametrize("blended", [False, True], ids=["sharp", "resampled"])
@pytest.mark.parametrize("padding", [-1500, -2000, -2048, -3024, -9999, -32768])
def test_padding_of_a_ct_does_not_take_the_contrast(padding: float, blended: bool) -> None:
    plain, padded = CT(thorax(-1000)), CT(thorax(padding, blended=blended))
    assert plain.warning is None
    assert padded.warning is not None
    assert "taken for padding" in padded.warning
    assert np.abs(padded.volume - plain.volume)[TISSUE].max() < 0.02
    assert (padded.volume[0, 0] == 0).all()


@pytest.mark.parametrize("faults", [{(2, 2, 2): -32768.0}, {(20, 20, 20): 1e6}])
def test_single_voxels_do_not_take_the_contrast(faults: dict[tuple, float]) -> None:
    spoilt = BRAIN.copy()
    for place, value in faults.items():
        spoilt[place] = value
    assert np.abs(CT(spoilt).volume - CT(BRAIN).volume)[TISSUE].mean() < 0.01


@pytest.mark.parametrize("value", [-32768, 32767])
def test_a_faulty_slice_does_not_take_the_contrast(value: float) -> None:
    spoilt = BRAIN.copy()
    spoilt[3] = value
    found = CT(spoilt)
    assert found.warning is not None
    assert np.abs(found.volume - CT(BRAIN).volume)[4:][TISSUE[4:]].max() < 0.01


@pytest.mark.parametrize(
    "volume",
    [standardised(BRAIN), standardised_inside(BRAIN), TISSUE, -BRAIN, np.where(TISSUE, -1, 1)],
    ids=["standardised", "standardised inside", "mask", "negative", "two values"],
)
def test_what_is_no_fault_is_not_taken_for_one(volume: np.ndarray) -> None:
    assert CT(np.asarray(volume, np.float32)).warning is None


@pytest.mark.parametrize("air", [-1024, -1000])
def test_air_around_a_body_of_nearly_one_tissue_is_no_padding(air: int) -> None:
    """So the body keeps its outline."""
    body = np.full((20, 20, 20), air, np.float32)
    body[4:16, 4:16, 4:16] = 40
    body[8:12, 8:12, 8:12] = 440
    found = Quantile()(body)
    assert found.warning is None
    assert found.volume[2, 2, 2] == 0
    assert found.volume[5, 5, 5] == pytest.approx((40 - air) / (440 - air), abs=1e-6)


@pytest.mark.parametrize("padding", [-1024, -1000, -3024])
def test_slices_padded_as_a_ct_do_not_take_the_contrast_of_other_images(padding: float) -> None:
    spoilt = BRAIN.copy()
    spoilt[:2] = padding
    found = CT(spoilt)
    assert found.warning is not None
    assert "taken for padding" in found.warning
    assert np.abs(found.volume - CT(BRAIN).volume)[TISSUE].max() < 0.01


@pytest.mark.parametrize("padding", [-3024, -32768])
def test_padding_right_beside_the_tissue_is_found_after_resampling_too(padding: float) -> None:
    sharp = np.where(TISSUE, BRAIN * 8 - 200, padding).astype(np.float32)
    resampled = np.rint((sharp + np.roll(sharp, 1, axis=0)) / 2).astype(np.float32)
    inner = TISSUE & np.roll(TISSUE, 1, axis=0)
    for volume in (sharp, resampled):
        found = CT(volume)
        assert found.warning is not None
        low, high = np.quantile(found.volume[inner], [0.01, 0.99])
        assert high - low > 0.3
        assert low == pytest.approx((1024 - 200 + 8 * 10) / (1024 - 200 + 8 * 130), abs=0.1)


@pytest.mark.parametrize("padding", [-1500, -2048, -3024, -32768])
def test_voxels_of_tissue_and_padding_become_tissue_and_air_in_the_same_parts(
    padding: float,
) -> None:
    """So the outline stays where it is: a field that aligns it is not half a voxel off."""
    quarter = np.roll(TISSUE, 1, axis=0) * 0.25 + TISSUE * 0.75  # a shift by a quarter of a voxel

    def shifted(surroundings: float) -> np.ndarray:
        return ((BRAIN * 8 - 200) * quarter + surroundings * (1 - quarter)).astype(np.float32)

    rim = (quarter > 0) & (quarter < 1)
    difference = np.abs(CT(shifted(padding)).volume - CT(shifted(-1024)).volume)
    assert difference[rim].mean() < 0.1  # as mere air they are off by .12 to .36
    assert difference[~rim].mean() < 0.002  # some beside the rim are taken for blended too


def test_a_phase_image_has_no_padding() -> None:
    phase = np.random.default_rng(0).integers(-4096, 4096, SHAPE).astype(np.float32)
    phase[:2] = -4096
    assert CT(phase).warning is None
