"""Names of pairs in outputs, where file names are alike."""

from pathlib import Path

import pytest

from l2r.pairs import Pair
from l2r.submission import field_names
from l2r.task import FieldRule
from tests.l2r.making import read


def of_subjects(*paths: str) -> list[dict[str, str]]:
    """The first path moved by each of the others."""
    return [{"fixed": paths[0], "moving": other} for other in paths[1:]]


def fields(pairs: list[Pair]) -> list[str]:
    return list(field_names(FieldRule(names="stem"), pairs))


def test_the_same_file_name_in_a_folder_per_subject(tmp_path: Path) -> None:
    one, two, three = (f"OAS_{n}/aligned_norm.nii.gz" for n in (1, 2, 3))
    pairs = read(tmp_path, of_subjects(one, two, three))
    assert [pair.name for pair in pairs] == [
        "OAS_1_aligned_norm<--OAS_2_aligned_norm",
        "OAS_1_aligned_norm<--OAS_3_aligned_norm",
    ]
    assert fields(pairs) == [
        "disp_OAS_1_aligned_norm_OAS_2_aligned_norm.nii.gz",
        "disp_OAS_1_aligned_norm_OAS_3_aligned_norm.nii.gz",
    ]
    assert fields(read(tmp_path, of_subjects(one, three))) == fields(pairs)[1:]


@pytest.mark.parametrize(
    "paths",
    [
        ["imagesTr/A.nii.gz", "imagesVal/A.nii.gz"],
        ["sub-01/anat/T1w.nii.gz", "sub-02/anat/T1w.nii.gz", "sub-03/anat/T1w.nii.gz"],
        ["c.nii", "x.nii", "x.nii.gz"],
        ["a/b_c.nii", "a_b/c.nii", "a/b/c.nii"],
        ["e.nii", "/".join(["very_long_folder"] * 9) + "/e.nii", "f/e.nii"],
    ],
    ids=str,
)
def test_fields_of_unlike_pairs_have_unlike_names_that_a_file_can_have(
    paths: list[str], tmp_path: Path
) -> None:
    entries = [{"fixed": a, "moving": b} for a in paths for b in paths if a != b]
    names = fields(read(tmp_path, entries))
    assert len(set(names)) == len(entries)
    assert all(len(name.encode()) < 230 and "/" not in name for name in names)


def test_pieces_that_join_to_the_same_name_are_told_apart(tmp_path: Path) -> None:
    pieces = [("i/a_b.nii", "i/c.nii"), ("i/a.nii", "i/b_c.nii"), ("i/d.nii", "i/e.nii")]
    names = fields(read(tmp_path, [{"fixed": a, "moving": b} for a, b in pieces]))
    assert names == ["disp_i_a_b_i_c.nii.gz", "disp_i_a_i_b_c.nii.gz", "disp_d_e.nii.gz"]
