"""Distance of landmarks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eval.metrics.tre import Tre, centroids, landmark_errors
from eval.structures import LabelMaps, find_structures, index_map
from eval.warp import warp_nearest
from tests.eval import oracles
from tests.eval.conftest import Phantom, save

SHAPE = (12, 10, 8)
index_maps = arrays(np.uint8, (5, 4, 3), elements=st.integers(0, 3))


def blob(x: int, y: int, z: int) -> np.ndarray:
    volume = np.zeros(SHAPE, np.uint8)
    volume[x - 1 : x + 2, y - 1 : y + 2, z - 1 : z + 2] = 1
    return volume


def test_a_centroid_is_the_mean_of_the_voxels() -> None:
    assert centroids(blob(5, 4, 3), 1).tolist() == [[5, 4, 3]]


def test_a_landmark_without_voxels_has_no_centroid() -> None:
    assert np.isnan(centroids(blob(5, 4, 3), 2)[1]).all()


def test_the_error_is_the_distance_of_the_centroids() -> None:
    assert landmark_errors(blob(5, 4, 3), blob(8, 8, 3), 1).tolist() == [5.0]


@pytest.mark.parametrize(("along_x", "expected"), [(0.0, 3.0), (3.0, 0.0), (-1.0, 4.0)])
def test_a_field_from_the_fixed_to_the_moving_landmark_is_right(
    along_x: float, expected: float
) -> None:
    vectors = np.zeros((*SHAPE, 3))
    vectors[..., 0] = along_x
    moving = blob(7, 4, 4)
    maps = LabelMaps(blob(4, 4, 4), moving, warp_nearest(moving, vectors))
    found = find_structures(maps, None)
    assert landmark_errors(found.fixed, found.warped, 1).tolist() == [expected]


@settings(deadline=None)
@given(index_maps, index_maps)
def test_it_is_symmetric_and_equals_the_mean_of_positions(a: np.ndarray, b: np.ndarray) -> None:
    errors = landmark_errors(a, b, 3)
    np.testing.assert_array_equal(errors, landmark_errors(b, a, 3))
    for place, error in enumerate(errors, start=1):
        if (a == place).any():
            expected = oracles.tre(np.where(a == place, 1, 0), np.where(b == place, 1, 0))
            np.testing.assert_allclose(error, expected, atol=1e-12)


def test_one_vanished_landmark_poisons_the_mean_as_it_does_officially(phantom: Phantom) -> None:
    case = phantom.case_without(2, "landmarks", 5)
    result = Tre(name="TRE_lm")(case)
    blobs = case.structures("landmarks", None)
    errors = landmark_errors(blobs.fixed, blobs.warped, 8)
    assert np.isnan(errors).tolist() == [place == 5 for place in range(1, 9)]
    assert np.isnan(result.mean)
    assert result.note == (
        f"1 of 8 landmarks vanished, mean of the others {np.nanmean(errors):.4f}"
    )


def test_a_landmark_that_the_moving_map_never_had_poisons_the_mean(phantom: Phantom) -> None:
    labels = np.zeros((20, 18, 16), np.uint8)
    labels[4, 4, 4] = 99
    save(phantom.folder / "landmarksVal/PHANTOM_0005_0000.nii.gz", labels)
    result = Tre(name="TRE_lm")(phantom.case(2))
    assert np.isnan(result.mean)
    assert result.note.endswith("mean of the others nan")


def test_without_landmarks_there_is_no_mean(phantom: Phantom) -> None:
    empty = np.zeros((20, 18, 16), np.uint8)
    save(phantom.folder / "landmarksVal/PHANTOM_0005_0000.nii.gz", empty)
    result = Tre(name="TRE_lm")(phantom.case(2))
    assert np.isnan(result.mean)
    assert result.note == ""


def test_a_landmark_of_the_moving_map_alone_does_not_count(phantom: Phantom) -> None:
    case = phantom.case(2)
    expected = Tre(name="TRE_lm")(case).mean
    path = case.truth.path(case.pair.fixed, "landmarks")
    fixed = case.structures("landmarks", None).fixed
    save(path, np.where(fixed == 8, 0, fixed).astype(np.uint8))
    errors = landmark_errors(fixed, case.structures("landmarks", None).warped, 8)
    assert np.isfinite(expected)
    assert Tre(name="TRE_lm")(phantom.case(2)).mean == errors[:7].mean()


def test_the_detailed_value_is_the_mean_again_as_it_is_officially(phantom: Phantom) -> None:
    result = Tre(name="TRE_lm")(phantom.case(2))
    assert result.detailed == result.mean


@pytest.mark.golden
def test_the_published_error_is_reproduced(golden) -> None:
    vectors = golden("metrics")
    ids = (1, 2, 3)  # the fixed map's fourth structure is not in the moving map
    fixed, warped = (index_map(vectors[f"seg.{name}"], ids) for name in ("fixed", "warped"))
    np.testing.assert_allclose(
        landmark_errors(fixed, warped, len(ids)).mean(),
        vectors["seg.tre_label_centroids"],
        rtol=0,
        atol=1e-10,
    )
