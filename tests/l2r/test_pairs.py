"""Images of a pair: their names, the numbers in them, and what lies beside."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2r.errors import DatasetError
from l2r.pairs import Pair, Scan
from tests.l2r.making import pair, scan


@pytest.mark.parametrize(
    ("name", "stem"),
    [("A.nii.gz", "A"), ("A.nii", "A"), ("A.b.nii.gz", "A.b"), ("A.nii.nii.gz", "A.nii")],
)
def test_the_stem_is_the_name_without_nifti_suffixes(name: str, stem: str) -> None:
    assert Scan(PurePosixPath(name), Path(name)).stem == stem


@given(st.integers(0, 9999), st.integers(0, 9999), st.sampled_from(["", "LUMIRMRI_", "a-1_"]))
def test_subject_and_modality_are_the_two_numbers_at_the_end(
    subject: int, modality: int, prefix: str
) -> None:
    ids = scan(f"{prefix}{subject:04}_{modality:04}").ids
    assert ids == (f"{subject:04}", f"{modality:04}")


@pytest.mark.parametrize("name", ["brain", "A_1_0000", "A_0001", "A_0001_0000_seg", "A_0001_000"])
def test_a_name_without_the_two_numbers_has_no_ids(name: str) -> None:
    with pytest.raises(DatasetError, match=rf"{name}.nii.gz: the name must end in .*--task any"):
        _ = scan(name).ids


def test_a_pair_is_called_by_the_stems_of_its_images() -> None:
    assert pair("A_0002_0000", "A_0001_0000").name == "A_0002_0000<--A_0001_0000"


def test_label_maps_lie_beside_their_images() -> None:
    relative = PurePosixPath("a/imagesVal/X_0001_0000.nii.gz")
    found = Scan(relative, Path("/d") / relative)
    assert found.labels == Path("/d/a/labelsVal/X_0001_0000.nii.gz")
    assert found.beside("landmarks") == PurePosixPath("a/landmarksVal/X_0001_0000.nii.gz")


@pytest.mark.parametrize("name", ["X_0001_0000.nii.gz", "brains/X_0001_0000.nii.gz"])
def test_an_image_is_not_taken_for_its_own_label_map(name: str) -> None:
    found = Scan(PurePosixPath(name), Path("/d") / name)
    with pytest.raises(DatasetError, match=r"no folder is called so; give images in imagesTr"):
        _ = found.labels


def test_the_files_of_a_pair_are_its_images_and_label_maps_if_wanted() -> None:
    pair = Pair(*(Scan(PurePosixPath(f"images/{n}.nii"), Path(f"d/images/{n}.nii")) for n in "ab"))
    images = [Path("d/images/a.nii"), Path("d/images/b.nii")]
    assert pair.files(labels=False) == images
    assert pair.files(labels=True) == [*images, Path("d/labels/a.nii"), Path("d/labels/b.nii")]
