"""The interface of metrics."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from eval.metrics import base as module
from eval.metrics.base import mean_of_defined
from l2r.errors import ImageError
from tests.eval.conftest import LABELS, Phantom, save


def test_ground_truth_is_read_once(phantom: Phantom, monkeypatch: pytest.MonkeyPatch) -> None:
    case, read = phantom.case(0), []
    original = module.read_labels
    monkeypatch.setattr(module, "read_labels", lambda path: read.append(path) or original(path))
    assert case.structures("labels", LABELS) is case.structures("labels", LABELS)
    assert len(read) == 2
    case.structures("labels", (1,))
    assert len(read) == 2


def test_every_map_is_warped_once_as_the_tasks_scorer_does(phantom: Phantom) -> None:
    case, warped = phantom.case(0), []

    def warp(moving: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        warped.append(vectors is case.vectors)
        return moving[::-1]

    case = replace(case, warp=warp)
    found, again = case.structures("labels", (1, 2)), case.structures("labels", (2,))
    assert warped == [True]
    np.testing.assert_array_equal(found.warped, found.unregistered[::-1])
    np.testing.assert_array_equal(again.warped == 1, found.warped == 2)


def test_the_foreground_is_where_an_image_is_positive(phantom: Phantom) -> None:
    case = phantom.case(0)
    for of, number in (("fixed", 2), ("moving", 1)):
        path = phantom.folder / f"imagesVal/PHANTOM_{number:04}_0000.nii.gz"
        np.testing.assert_array_equal(case.foreground(of), nib.load(path).get_fdata() > 0)


def test_the_foreground_of_another_grid_is_cut_to_the_fields(phantom: Phantom) -> None:
    image = np.ones((22, 18, 10), np.uint8)
    image[0] = 0
    save(phantom.folder / "imagesVal/PHANTOM_0001_0000.nii.gz", image)
    inside = phantom.case(0).foreground("moving")
    assert inside.shape == (20, 18, 16)
    assert inside.sum() == 19 * 18 * 10


def test_labels_on_another_grid_than_the_field_are_refused(phantom: Phantom) -> None:
    save(phantom.folder / "labelsVal/PHANTOM_0002_0000.nii.gz", np.ones((4, 4, 4), np.uint8))
    with pytest.raises(
        ImageError, match=r"PHANTOM_0002_0000\.nii\.gz: shape \(4, 4, 4\), .* \(20, 18, 16\)"
    ):
        phantom.case(0).structures("labels", LABELS)


def test_a_case_looks_beside_the_images_of_the_ground_truth(phantom: Phantom) -> None:
    case = phantom.case(2)
    assert case.truth.path(case.pair.fixed, "landmarks") == Path(
        phantom.folder / "landmarksVal/PHANTOM_0005_0000.nii.gz"
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0], 1.5),
        ([1.0, np.nan], 1.0),
        ([np.inf, 1.0, np.nan], np.inf),
        ([np.nan], np.nan),
        ([], np.nan),
    ],
    ids=str,
)
def test_the_mean_skips_what_is_not_defined_but_not_infinity(
    values: list[float], expected: float
) -> None:
    np.testing.assert_equal(mean_of_defined(np.array(values)), expected)
