"""Pair lists of every dialect."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2r.dataset import read_pairs, scans_of_folder
from l2r.errors import DatasetError
from l2r.name_rules import NAME_RULES
from tests.l2r.making import listed, read

A, B, C = (f"./imagesVal/BRAIN_{number:04}_0000.nii.gz" for number in (1, 2, 3))
PAIRS = [{"fixed": A, "moving": B}, {"fixed": B, "moving": C}]
NAMES = ["BRAIN_0001_0000<--BRAIN_0002_0000", "BRAIN_0002_0000<--BRAIN_0003_0000"]

names = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789_-. ", min_size=1).filter(
        lambda text: not {".", ".."} & {text, text.strip()}
    ),
    min_size=2,
    max_size=6,
    unique=True,
)


@pytest.mark.parametrize(
    ("raw", "split"),
    [
        (PAIRS, "validation"),
        ({"validation": PAIRS}, "validation"),
        ({"training": PAIRS}, "training"),
        ({"test": PAIRS}, "test"),
        ({"registration_train": PAIRS}, "training"),
        ({"registration_val": PAIRS}, "validation"),
        ({"registration_test": PAIRS}, "test"),
        ({"registration_test": PAIRS}, "registration_test"),
        ({"inputs": PAIRS}, "validation"),
        ({"my own": PAIRS}, "my own"),
        ({"validation": [], "registration_val": PAIRS}, "validation"),
        ({"training": ["./imagesTr/A.nii.gz"], "registration_train": PAIRS}, "training"),
    ],
    ids=str,
)
def test_every_dialect_gives_the_same_pairs_in_the_order_of_the_list(
    raw: object, split: str, tmp_path: Path
) -> None:
    pairs = read(tmp_path, raw, split)
    assert [pair.name for pair in pairs] == NAMES
    assert pairs[0].fixed.path == tmp_path / "imagesVal/BRAIN_0001_0000.nii.gz"


def test_the_list_of_lumir_is_read_among_everything_else_it_says(tmp_path: Path) -> None:
    raw = {
        "name": "LUMIR",
        "tensorImageShape": {"0": [160, 224, 192]},
        "numTraining": 1,
        "training": ["./imagesTr/LUMIRMRI_0000_0000.nii.gz"],
        "numValidation": 2,
        "validation": [{**pair, "label": None, "fixed_modality": "T1"} for pair in PAIRS],
    }
    assert [pair.name for pair in read(tmp_path, raw)] == NAMES


@given(names)
def test_paths_mean_the_same_with_and_without_a_leading_dot(
    tmp_path_factory: pytest.TempPathFactory, found: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    plain = [{"fixed": f"{found[0]}.nii", "moving": f"sub/{name}.nii.gz"} for name in found]
    dotted = [{key: f"./{path}" for key, path in entry.items()} for entry in plain]
    assert read(folder, plain) == read(folder, dotted)


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(b"\xef\xbb\xbf" + listed(path, PAIRS).read_bytes())
    assert [pair.name for pair in read_pairs(path, tmp_path)] == NAMES


@pytest.mark.parametrize(
    "text",
    ["../A.nii.gz", "./imagesVal/../../A.nii.gz", "imagesVal/../A.nii.gz", "/data/A.nii.gz"],
)
@pytest.mark.parametrize("role", ["fixed", "moving"])
def test_a_path_that_may_leave_the_input_folder_is_refused(
    role: str, text: str, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=rf"list.json: pair 2: {role}: '{text}' leaves"):
        read(tmp_path, [PAIRS[0], {**PAIRS[1], role: text}])


@pytest.mark.parametrize("text", ["", ".", "imagesVal/A.npz", "imagesVal/A", "A.nii.gz.txt"])
def test_only_image_files_can_be_listed(text: str, tmp_path: Path) -> None:
    message = rf"pair 1: fixed: '{text}' must name a .nii.gz, .nii, .mha or .png file"
    with pytest.raises(DatasetError, match=message):
        read(tmp_path, [{"fixed": text, "moving": B}])


@pytest.mark.parametrize("text", ["A\0.nii.gz", "A\ud800.nii.gz", "A\n.nii.gz"], ids=ascii)
def test_a_path_that_no_file_can_have_or_that_breaks_a_line_is_refused(
    text: str, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=r"pair 1: fixed: .*A") as caught:
        read(tmp_path, [{"fixed": text, "moving": B}])
    assert str(caught.value).isprintable()


def test_a_pair_may_stand_only_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"the pair {NAMES[1]} stands more than once; remove"):
        read(tmp_path, [*PAIRS, {"fixed": B, "moving": C.removeprefix("./")}])


def test_the_same_images_the_other_way_round_are_another_pair(tmp_path: Path) -> None:
    assert len(read(tmp_path, [{"fixed": A, "moving": B}, {"fixed": B, "moving": A}])) == 2


@pytest.mark.parametrize("raw", [[], {"validation": []}, None, {"validation": None}], ids=str)
def test_an_empty_list_is_refused(raw: object, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"the list of pairs is empty; nothing to register"):
        read(tmp_path, raw)


def test_an_empty_split_names_those_that_have_pairs(tmp_path: Path) -> None:
    raw = {"validation": [], "test": PAIRS}
    expected = "validation: the list of pairs is empty; it has pairs under test: try --split test$"
    with pytest.raises(DatasetError, match=expected):
        read(tmp_path, raw)


def test_absolute_paths_inside_the_input_folder_are_taken(tmp_path: Path) -> None:
    inside = [{key: str(tmp_path / path) for key, path in entry.items()} for entry in PAIRS]
    assert read(tmp_path, inside) == read(tmp_path, PAIRS)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    entry = {"fixed": str(tmp_path / "real" / "a.nii"), "moving": "b.nii"}
    (pair,) = read_pairs(listed(tmp_path / "list.json", [entry]), tmp_path / "link")
    assert pair.fixed.relative == PurePosixPath("a.nii")


@pytest.mark.parametrize("text", ["imagesTr\\A.nii.gz", "C:\\data\\A.nii.gz", "imagesTr\fix.nii"])
def test_backslashes_get_a_hint(text: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="separate folders by /"):
        read(tmp_path, [{"fixed": text, "moving": B}])


def test_backslashes_that_json_does_not_know_get_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text('[{"fixed": "imagesTr\\mov.nii", "moving": "b.nii"}]'.replace("\\\\", "\\"))
    with pytest.raises(DatasetError, match=r"line 1, column \d+: .*escape; separate folders by /"):
        read_pairs(path, tmp_path)


def test_a_name_with_a_backslash_is_a_name_if_there_is_such_a_file(tmp_path: Path) -> None:
    (tmp_path / "a\\b.nii").touch()
    assert len(read(tmp_path, [{"fixed": "a\\b.nii", "moving": B}])) == 1


@pytest.mark.parametrize("entry", [3, "A.nii", ["A.nii", "B.nii"], None], ids=str)
def test_messages_do_not_name_our_own_records(entry: object, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, [PAIRS[0], entry])
    assert "_entry" not in str(caught.value).lower()
    assert "1: input should be a valid dictionary" in str(caught.value)


def test_hidden_files_of_macos_are_no_images(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "._a.nii.gz", "b.nii"):
        (tmp_path / name).touch()
    assert [scan.relative.name for scan in scans_of_folder(tmp_path)] == ["a.nii.gz", "b.nii"]


def test_a_missing_split_names_those_that_are_there(tmp_path: Path) -> None:
    raw = {"name": "X", "validation": PAIRS, "extra": PAIRS, "training": ["A.nii.gz"]}
    expected = r"split 'test'; it has pairs under validation, extra: try --split validation$"
    with pytest.raises(DatasetError, match=expected):
        read(tmp_path, raw, "test")


def test_a_file_without_any_pairs_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no pair list for the split 'test'; it has no pairs$"):
        read(tmp_path, {"name": "X", "training": ["A.nii.gz"], "modality": {"0": "T1"}}, "test")


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (5, "list.json: top level: input should be a valid list"),
        ("A.nii.gz", "list.json: top level: input should be a valid list"),
        ({"validation": {"fixed": A, "moving": B}}, "validation: top level: input should be"),
        ({"validation": 5}, "list.json: validation: top level: input should be a valid list"),
        ([{"fixed": A}], "list.json: 0.moving: field required"),
        ([PAIRS[0], {"fixed": 5, "moving": B}], "list.json: 1.fixed: input should be a valid str"),
        ([[A, B]], "list.json: 0: input should be"),
        ({"validation": ["A.nii.gz"]}, "list.json: validation: 0: input should be"),
        ({"validation": [{"fixed": None, "moving": B}]}, "validation: 0.fixed: input should be"),
    ],
    ids=str,
)
def test_a_wrong_type_is_refused_with_its_place(raw: object, fault: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=fault):
        read(tmp_path, raw)


def test_a_typo_is_found_by_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text('{"validation": [\n  {"fixed": "a.nii.gz",}]}')
    with pytest.raises(DatasetError, match=r"not valid JSON at line 2, column"):
        read_pairs(path, tmp_path)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone.json: no such file"):
        read_pairs(tmp_path / "gone.json", tmp_path)


STUDY = {
    "subject": "PSMARegPSMA_0001",
    "Baseline CT": "./imagesVal/PSMARegPSMA_0001_0000_00.nii.gz",
    "Baseline PET": "./imagesVal/PSMARegPSMA_0001_0001_00.nii.gz",
    "Follow-up 01 CT": "./imagesVal/PSMARegPSMA_0001_0000_01.nii.gz",
    "Follow-up 01 PET": "./imagesVal/PSMARegPSMA_0001_0001_01.nii.gz",
}
"""As the participants' list has it."""
LABELLED = {
    "subject": "PSMARegPSMA_0001",
    "CT": "imagesVal/PSMARegPSMA_0001_0000_00.nii.gz",
    "CT Label": "organs/fixed.nii.gz",
    "PET": "imagesVal/PSMARegPSMA_0001_0001_00.nii.gz",
    "PET Label": "lesions/fixed.nii.gz",
    "Follow-up 01 CT": "imagesVal/PSMARegPSMA_0001_0000_01.nii.gz",
    "Follow-up 01 CT Label": "organs/moving.nii.gz",
    "Follow-up 01 PET": "imagesVal/PSMARegPSMA_0001_0001_01.nii.gz",
    "Follow-up 01 PET Label": "lesions/moving.nii.gz",
}
"""As the scorer's has it."""


def test_studies_of_psmareg_are_pairs_of_ct_with_pet_and_labels_beside(tmp_path: Path) -> None:
    dataset = listed(tmp_path / "d.json", {"validation_paired": [STUDY]})
    (pair,) = read_pairs(dataset, tmp_path)
    assert pair.name == "PSMARegPSMA_0001_0000_00<--PSMARegPSMA_0001_0000_01"
    assert NAME_RULES["psmareg"].field(pair) == "disp_0001_00_0001_01"
    assert NAME_RULES["psmareg"].case(pair) == "0001_00<--0001_01"
    assert {kind: str(pair.moving.beside(kind)) for kind in ("images", "labels", "pet")} == {
        "images": "imagesVal/PSMARegPSMA_0001_0000_01.nii.gz",
        "labels": "labelsVal/PSMARegPSMA_0001_0000_01.nii.gz",
        "pet": "imagesVal/PSMARegPSMA_0001_0001_01.nii.gz",
    }
    assert str(pair.fixed.beside("lesions")) == "labelsVal/PSMARegPSMA_0001_0001_00.nii.gz"


def test_labels_that_the_list_names_lie_where_it_says(tmp_path: Path) -> None:
    dataset = listed(tmp_path / "d.json", {"validation_paired": [LABELLED]})
    (pair,) = read_pairs(dataset, tmp_path)
    assert [str(scan.beside("labels")) for scan in (pair.fixed, pair.moving)] == [
        "organs/fixed.nii.gz",
        "organs/moving.nii.gz",
    ]
    assert str(pair.moving.beside("lesions")) == "lesions/moving.nii.gz"
    assert pair.moving.labels == tmp_path / "organs/moving.nii.gz"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("Follow-up 01 PET", None, r"validation_paired: 0.*follow-up 01 pet: field required"),
        ("CT Label", "../a.nii.gz", "pair 1: '../a.nii.gz' leaves the input folder"),
        ("Follow-up 01 CT", "/a.nii.gz", "pair 1: CT: '/a.nii.gz' leaves the input folder"),
        ("PET", 3, "pet: input should be a valid string"),
    ],
)
def test_a_faulty_study_is_refused(key: str, value: object, problem: str, tmp_path: Path) -> None:
    study = {k: v for k, v in (LABELLED | {key: value}).items() if v is not None}
    dataset = listed(tmp_path / "d.json", {"validation_paired": [study]})
    with pytest.raises(DatasetError, match=f"(?i){problem}"):
        read_pairs(dataset, tmp_path)


def test_an_image_of_many_pairs_takes_memory_once(tmp_path: Path) -> None:
    entries = [{"fixed": a, "moving": b} for a in (A, B, C) for b in (A, B, C) if a != b]
    pairs = read(tmp_path, {"validation": entries})
    assert len(pairs) == 6
    assert len({id(scan) for pair in pairs for scan in (pair.fixed, pair.moving)}) == 3
