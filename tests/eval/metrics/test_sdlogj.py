"""Spread of the volume changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics.sdlogj import SdLogJ, sd_log_jacobian
from l2r.errors import ImageError
from tests.eval import oracles
from tests.eval.conftest import SHAPE, Phantom, save

FIXED = "PHANTOM_0002_0000.nii.gz"


def test_the_spread_of_equally_often_halved_and_doubled_volumes() -> None:
    assert sd_log_jacobian(np.array([0.5, 2.0])) == pytest.approx(np.log(2))


def test_a_fold_counts_as_the_least_volume_unless_3_is_added() -> None:
    folded = np.array([-1.0, 1.0])
    assert sd_log_jacobian(folded) == pytest.approx(np.log(1e9) / 2)
    assert sd_log_jacobian(folded, 3.0) == pytest.approx(np.log(2) / 2)


def test_no_voxels_have_no_spread() -> None:
    assert np.isnan(sd_log_jacobian(np.zeros(0)))


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=9), st.floats(0.5, 2))
def test_a_change_of_scale_does_not_matter_to_the_right_value(values, factor: float) -> None:
    determinants = np.array(values)
    assert sd_log_jacobian(factor * determinants) == pytest.approx(
        sd_log_jacobian(determinants), abs=1e-9
    )
    assert 0 <= sd_log_jacobian(determinants, 3.0) <= sd_log_jacobian(determinants) + 1e-9


def test_it_is_the_scorers_value_and_the_note_has_the_right_one(phantom: Phantom) -> None:
    case = phantom.case(0)
    result = SdLogJ(name="LogJacDetStd")(case)
    assert result.mean == pytest.approx(oracles.sdlogj(case.vectors), rel=1e-9)
    right = np.log(oracles.jacobian(case.vectors.astype(float)).clip(1e-9)).std()
    assert right > 2 * result.mean
    assert result.note == f"{right:.4f} without the 3 that the scorer adds to the determinant"


def test_only_voxels_of_label_1_of_the_fixed_mask_count(phantom: Phantom) -> None:
    mask = np.random.default_rng(0).integers(0, 3, SHAPE).astype(np.uint8)
    save(phantom.folder / "masksVal" / FIXED, mask)
    case = phantom.case(0)
    result = SdLogJ(name="S", masks="masks")(case)
    assert result.mean == pytest.approx(oracles.sdlogj(case.vectors, mask), rel=1e-9)
    assert result.mean != SdLogJ(name="S")(case).mean


def test_without_a_mask_all_voxels_count_and_the_note_says_so(phantom: Phantom) -> None:
    result = SdLogJ(name="S", masks="masks")(phantom.case(0))
    assert result.mean == SdLogJ(name="S")(phantom.case(0)).mean
    assert result.note.endswith(f"; no mask {FIXED}, so all voxels count")


def test_a_mask_of_another_shape_is_refused(phantom: Phantom) -> None:
    save(phantom.folder / "masksVal" / FIXED, np.ones((4, 4, 4), np.uint8))
    with pytest.raises(ImageError, match=r"masksVal/.*shape \(4, 4, 4\)"):
        SdLogJ(name="S", masks="masks")(phantom.case(0))


@pytest.mark.golden
def test_the_published_value_is_reproduced(golden) -> None:
    vectors = golden("metrics")
    determinants = vectors["folded.l2r_jacdet"]
    assert sd_log_jacobian(determinants, 3.0) == pytest.approx(
        float(vectors["folded.sdlogj"]), rel=1e-12
    )
