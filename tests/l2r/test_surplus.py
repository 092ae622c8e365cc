"""Files of a submission that no pair needs."""

import pytest

from l2r.surplus import described, surplus
from l2r.task import FieldRule
from tests.l2r.making import pair

RULE = FieldRule(names="lumir")
PAIRS = [pair("A_0002_0000", "A_0001_0000"), pair("A_0003_0000", "A_0002_0000")]
FIELDS = ["disp_0002_0001.nii.gz", "disp_0003_0002.nii.gz"]


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX/._disp_0002_0001.nii.gz",
        "._disp_0002_0001.nii.gz",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "README.txt",
        "disp_0009_0008.nii.gz",
        "copy/disp_0002_0001.nii.gz",
    ],
)
def test_leftovers_of_systems_and_other_fields_are_surplus(name: str) -> None:
    assert surplus([*FIELDS, name], RULE, PAIRS) == [name]


@pytest.mark.parametrize(
    "name", ["manifest.json", "metrics.json", "manifest.jsonl", "manifest.1-of-4.jsonl"]
)
def test_files_of_our_own_commands_are_not_surplus(name: str) -> None:
    assert surplus([*FIELDS, name], RULE, PAIRS) == []


@pytest.mark.parametrize("folder", ["submission/", "submission\\"])
def test_a_needed_field_in_a_folder_is_missing_and_not_surplus(folder: str) -> None:
    assert surplus([FIELDS[0], folder + FIELDS[1]], RULE, PAIRS) == []


def test_the_description_names_three_files_and_stays_on_its_line() -> None:
    assert described(["a\nb"]) == r"1 file that no pair needs ('a\nb'); the scorer ignores it"
    assert described([f"x{number}" for number in range(9)]) == (
        "9 files that no pair needs (x0, x1, x2, ...); the scorer ignores them"
    )
