"""Where the ground truth lies."""

from pathlib import Path, PurePosixPath

import pytest

from eval.truth import GroundTruth
from l2r.errors import ImageError
from l2r.pairs import Pair, Scan


def pair(fixed: str, moving: str) -> Pair:
    return Pair(*(Scan(PurePosixPath(text), Path("elsewhere") / text) for text in (fixed, moving)))


BOTH = pair("imagesVal/A.nii.gz", "imagesVal/B.nii.gz")


def put(folder: Path, *names: str) -> GroundTruth:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return GroundTruth(folder)


@pytest.mark.parametrize(
    ("relative", "kind", "expected"),
    [
        ("imagesVal/A.nii.gz", "labels", "labelsVal/A.nii.gz"),
        ("imagesVal/A.nii.gz", "landmarks", "landmarksVal/A.nii.gz"),
        ("imagesVal/A.nii.gz", "images", "imagesVal/A.nii.gz"),
        ("set1/imagesTs/images.nii", "labels", "set1/labelsTs/images.nii"),
    ],
)
def test_the_folders_name_says_what_is_in_it(relative: str, kind: str, expected: str) -> None:
    scan = Scan(PurePosixPath(relative), Path("elsewhere"))
    assert GroundTruth(Path("truth")).path(scan, kind) == Path("truth") / expected


def test_a_pair_has_what_both_scans_have(tmp_path: Path) -> None:
    truth = put(tmp_path, "labelsVal/A.nii.gz", "labelsVal/B.nii.gz")
    assert truth.has(BOTH, "labels")
    assert not truth.has(BOTH, "landmarks")


def test_half_of_the_labels_are_a_mistake(tmp_path: Path) -> None:
    truth = put(tmp_path, "labelsVal/A.nii.gz")
    with pytest.raises(ImageError, match=r"labelsVal/B\.nii\.gz: no such file, but A<--B"):
        truth.has(BOTH, "labels")


def test_points_have_a_suffix_of_their_own(tmp_path: Path) -> None:
    truth = put(tmp_path, "landmarksVal/A.csv", "landmarksVal/B.csv")
    assert truth.path(BOTH.fixed, "landmarks", ".csv") == tmp_path / "landmarksVal/A.csv"
    assert truth.has(BOTH, "landmarks", ".csv")
    assert not truth.has(BOTH, "landmarks")


def test_images_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"imagesVal/A\.nii\.gz: no such file"):
        GroundTruth(tmp_path).has(BOTH, "images")
    assert put(tmp_path, "imagesVal/A.nii.gz", "imagesVal/B.nii.gz").has(BOTH, "images")


def test_an_image_is_never_taken_for_its_own_label_map(tmp_path: Path) -> None:
    flat = pair("A.nii.gz", "B.nii.gz")
    assert not put(tmp_path, "A.nii.gz", "B.nii.gz").has(flat, "labels")
