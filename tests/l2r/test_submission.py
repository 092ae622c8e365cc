"""Names of fields, folders and zips of them, and what the scorer refuses."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2r.disk import TEMPORARY
from l2r.errors import DatasetError, FieldError, L2RError, SubmissionError
from l2r.formats.fields import write_field
from l2r.submission import (
    Folder,
    Zip,
    accepted_names,
    as_vectors,
    field_name,
    field_names,
    locate,
    most_bytes,
    open_submission,
)
from l2r.task import FieldRule, Task, load_task
from tests.l2r.making import nifti, noise, pair

LUMIR = FieldRule(names="lumir")
LONG = FieldRule(names="long")
STEM = FieldRule(names="stem")
CLASSIC = FieldRule(names="long", npz=True)
PSMAREG = FieldRule(names="psmareg", channels_first=True, grid="half")
SHAPE = (6, 8, 10)

numbers = st.integers(0, 9999).map("{:04}".format)


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two fields, one of them in a folder of its own."""
    folder = tmp_path_factory.mktemp("fields")
    (folder / "sub").mkdir()
    write_field(folder / "disp_0002_0001.nii.gz", noise(*SHAPE, 3), np.eye(4))
    write_field(folder / "sub/disp_0003_0002.nii.gz", noise(*SHAPE, 3, seed=1), np.eye(4))
    (folder / f".disp_0009_0008.nii.gz.0badcafe{TEMPORARY}").write_bytes(b"not finished")
    return folder


@pytest.fixture(scope="module")
def zipped(fields: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zipped") / "fields.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("sub")
        for name in open_submission(fields).names():
            archive.write(fields / name, name)
    return path


def task(*, shape: tuple[int, int, int] = SHAPE, channels_first: bool = True) -> Task:
    lumir = load_task("lumir24")
    return lumir.model_copy(
        update={
            "name": "small",
            "data": lumir.data.model_copy(update={"shape": shape}),
            "field": FieldRule(names="lumir", channels_first=channels_first),
        }
    )


@pytest.mark.parametrize(
    ("rule", "fixed", "moving", "name"),
    [
        # LUMIR: same modality, or 0000 to 0001, has the short name, and only that
        (LUMIR, "LUMIRMRI_3456_0000", "LUMIRMRI_3455_0000", "disp_3456_3455.nii.gz"),
        (LUMIR, "LUMIRMRI_3456_0001", "LUMIRMRI_3455_0001", "disp_3456_3455.nii.gz"),
        (LUMIR, "LUMIRMRI_3494_0000", "LUMIRMRI_3495_0001", "disp_3494_3495.nii.gz"),
        (LUMIR, "LUMIRMRI_3494_0001", "LUMIRMRI_3495_0000", "disp_3494_0001_3495_0000.nii.gz"),
        (LUMIR, "LUMIRMRI_3494_0000", "LUMIRMRI_3495_0002", "disp_3494_0000_3495_0002.nii.gz"),
        (LONG, "LUMIRMRI_3456_0000", "LUMIRMRI_3455_0000", "disp_3456_0000_3455_0000.nii.gz"),
        (LONG, "LUMIRMRI_3494_0000", "LUMIRMRI_3495_0001", "disp_3494_0000_3495_0001.nii.gz"),
        (PSMAREG, "P_0001_0000_00", "P_0001_0000_01", "disp_0001_00_0001_01.nii.gz"),
        (PSMAREG, "P_0013_0000_01", "P_0013_0000_00", "disp_0013_01_0013_00.nii.gz"),
        (STEM, "my brain", "b.2", "disp_my brain_b.2.nii.gz"),
        (STEM, "LUMIRMRI_3456_0000", "b", "disp_LUMIRMRI_3456_0000_b.nii.gz"),
    ],
    ids=str,
)
def test_names_by_hand(rule: FieldRule, fixed: str, moving: str, name: str) -> None:
    assert field_name(rule, pair(fixed, moving)) == name


@given(numbers, numbers, numbers, numbers)
def test_the_long_name_tells_all_four_numbers_and_the_short_one_two(
    fixed: str, fixed_kind: str, moving: str, moving_kind: str
) -> None:
    asked = pair(f"A_{fixed}_{fixed_kind}", f"B_{moving}_{moving_kind}")
    long = f"disp_{fixed}_{fixed_kind}_{moving}_{moving_kind}.nii.gz"
    assert field_name(LONG, asked) == long
    assert field_name(LUMIR, asked) in {long, f"disp_{fixed}_{moving}.nii.gz"}


@pytest.mark.parametrize("rule", [LUMIR, LONG], ids=str)
def test_a_name_without_numbers_needs_another_rule(rule: FieldRule) -> None:
    with pytest.raises(DatasetError, match=r"mine.nii.gz: the name must end .*use --task any"):
        field_name(rule, pair("A_0001_0000", "mine"))


def test_a_name_without_a_visit_needs_another_rule() -> None:
    with pytest.raises(DatasetError, match=r"the name must end in _SSSS_MMMM_TT.*use --task any"):
        field_name(PSMAREG, pair("A_0001_0000", "A_0001_0001"))


@pytest.mark.parametrize(
    ("rule", "fixed", "moving", "names"),
    [
        # MDL-UzL/L2R: pairs of one modality need the long name, the opposite of LUMIR
        (LONG, "A_0002_0000", "A_0001_0000", ["disp_0002_0000_0001_0000.nii.gz"]),
        (
            LONG,
            "A_0006_0000",
            "A_0006_0001",
            ["disp_0006_0000_0006_0001.nii.gz", "disp_0006_0006.nii.gz"],
        ),
        (LONG, "A_0011_0001", "A_0011_0000", ["disp_0011_0001_0011_0000.nii.gz"]),
        (LUMIR, "A_0006_0000", "A_0006_0001", ["disp_0006_0006.nii.gz"]),
        (
            CLASSIC,
            "A_0006_0000",
            "A_0006_0001",
            [
                *("disp_0006_0000_0006_0001.nii.gz", "disp_0006_0006.nii.gz"),
                *("disp_0006_0000_0006_0001.npz", "disp_0006_0006.npz"),
            ],
        ),
    ],
    ids=str,
)
def test_the_names_that_a_scorer_takes_by_hand(
    rule: FieldRule, fixed: str, moving: str, names: list[str]
) -> None:
    assert list(accepted_names(rule, pair(fixed, moving))) == names


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_field_is_found_under_any_name_that_the_scorer_takes(tmp_path: Path) -> None:
    pairs = [pair("A_0006_0000", "A_0006_0001"), pair("A_0002_0000", "A_0001_0000")]
    names = ["disp_0006_0006.npz", "disp_0002_0000_0001_0000.nii.gz"]
    others = [
        *("manifest.json", "readme.txt", "__MACOSX/._disp_0006_0006.npz"),
        "disp_0009_0008.nii.gz",
    ]
    submission = open_submission(touched(tmp_path, *names, *others))
    assert locate(submission, CLASSIC, pairs) == dict(zip(pairs, names, strict=True))


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (
            ["disp_0002_0001.nii.gz"],
            r"disp_0006_0000_0006_0001\.nii\.gz: no such file; 2 of 2 fields are missing, and the "
            r"scorer takes disp_0006_0000_0006_0001\.nii\.gz or disp_0006_0006\.nii\.gz$",
        ),
        (
            ["disp_0006_0006.nii.gz", "disp_0002_0001.nii.gz"],
            r"disp_0002_0000_0001_0000\.nii\.gz: no such file; 1 of 2 fields are missing, and the "
            r"scorer takes disp_0002_0000_0001_0000\.nii\.gz, no other name$",
        ),
        (
            ["disp_0006_0006.nii.gz", "sub/disp_0002_0000_0001_0000.nii.gz"],
            r"it lies in a folder, sub/disp_0002_0000_0001_0000\.nii\.gz, but the scorer looks at",
        ),
        (
            [
                *("disp_0006_0006.nii.gz", "disp_0006_0000_0006_0001.nii.gz"),
                "disp_0002_0000_0001_0000.nii.gz",
            ],
            r"disp_0006_0000_0006_0001\.nii\.gz and disp_0006_0006\.nii\.gz are both fields of A_",
        ),
        (
            ["disp_0006_0006.nii.gz", "sub\\disp_0002_0000_0001_0000.nii.gz"],
            r"the zip has it as sub\\disp_0002_0000_0001_0000\.nii\.gz, with a backslash; zip",
        ),
    ],
    ids=["all misnamed", "one misnamed", "in a folder", "twice", "backslash"],
)
def test_fields_that_are_not_one_per_pair_are_refused(
    names: list[str], problem: str, tmp_path: Path
) -> None:
    pairs = [pair("A_0006_0000", "A_0006_0001"), pair("A_0002_0000", "A_0001_0000")]
    with pytest.raises(FieldError, match=problem):
        locate(open_submission(touched(tmp_path, *names)), LONG, pairs)


def half_task() -> Task:
    return task().model_copy(update={"field": PSMAREG})


@pytest.mark.parametrize("first", [True, False])
def test_a_half_grid_is_brought_onto_the_full_one_and_its_values_stay(first: bool) -> None:
    stored = noise(3, 3, 4, 5) if first else noise(3, 4, 5, 3)
    half = np.moveaxis(stored, 0, -1) if first else stored
    vectors = as_vectors(stored, SHAPE, half_task(), "x")
    assert vectors.shape == (*SHAPE, 3)
    np.testing.assert_allclose(vectors[0, 0, 0], half[0, 0, 0], rtol=1e-6)
    # the centre of a block of eight is the half voxel's own centre, but for the curvature
    constant = as_vectors(np.full_like(stored, 2.5), SHAPE, half_task(), "x")
    np.testing.assert_array_equal(constant, 2.5)


def test_the_full_grid_is_refused_where_the_scorer_takes_the_half_one() -> None:
    for stored in (noise(3, *SHAPE), noise(*SHAPE, 3)):
        with pytest.raises(FieldError, match=r"asks for \(3, 4, 5, 3\); this is the full grid, av"):
            as_vectors(stored, SHAPE, half_task(), "x")


def test_a_field_in_doubles_on_the_grid_is_never_too_large(tmp_path: Path) -> None:
    path = tmp_path / "disp.nii"
    path.write_bytes(nifti(noise(*SHAPE, 3).astype(np.float64)))
    assert open_submission(tmp_path).read("disp.nii", most_bytes(SHAPE)).shape == (*SHAPE, 3)


def test_the_names_come_in_the_order_of_the_list() -> None:
    pairs = [pair("A_0003_0000", "A_0001_0000"), pair("A_0002_0000", "A_0003_0000")]
    assert list(field_names(LUMIR, pairs).items()) == [
        ("disp_0003_0001.nii.gz", pairs[0]),
        ("disp_0002_0003.nii.gz", pairs[1]),
    ]


def test_two_pairs_cannot_share_a_name() -> None:
    pairs = [pair("A_0002_0000", "A_0001_0000"), pair("A_0002_0001", "A_0001_0001")]
    with pytest.raises(DatasetError, match=r"A_0002_0001<--A_0001_0001 and A_0002_0000<--.*both"):
        field_names(LUMIR, pairs)
    assert len(field_names(LONG, pairs)) == 2


def test_a_folder_and_a_zip_of_it_are_the_same_submission(fields: Path, zipped: Path) -> None:
    folder, archive = open_submission(fields), open_submission(zipped)
    assert (type(folder), type(archive)) == (Folder, Zip)
    assert folder.names() == ["disp_0002_0001.nii.gz", "sub/disp_0003_0002.nii.gz"]
    assert archive.names() == folder.names()
    for name in folder.names():
        np.testing.assert_array_equal(archive.read(name), folder.read(name))
    np.testing.assert_array_equal(folder.read("disp_0002_0001.nii.gz"), noise(*SHAPE, 3))


def test_what_is_not_finished_does_not_belong_to_a_submission(fields: Path) -> None:
    assert len(list(fields.glob(f".*{TEMPORARY}"))) == 1
    assert not [name for name in open_submission(fields).names() if TEMPORARY in name]


def test_a_missing_field_is_named(fields: Path, zipped: Path) -> None:
    for path in (fields, zipped):
        with pytest.raises(FieldError, match=rf"{path.name}/disp_1_2.nii.gz: no such file"):
            open_submission(path).read("disp_1_2.nii.gz")


def test_neither_a_folder_nor_a_zip_is_refused(fields: Path, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"gone.zip: does not exist; give the folder"):
        open_submission(tmp_path / "gone.zip")
    with pytest.raises(SubmissionError, match=r"0001.nii.gz: is not a zip file; give the folder"):
        open_submission(fields / "disp_0002_0001.nii.gz")
    (tmp_path / "empty.zip").touch()
    with pytest.raises(SubmissionError, match=r"is not a zip file"):
        open_submission(tmp_path / "empty.zip")


def test_half_a_zip_is_none(zipped: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(zipped.read_bytes()[:-30])
    with pytest.raises(SubmissionError, match=r"cut.zip: is not a zip file"):
        open_submission(cut)


def damaged(zipped: Path, folder: Path, place: int, *values: int) -> Path:
    content = bytearray(zipped.read_bytes())
    content[place : place + len(values)] = bytes(values)
    path = folder / "damaged.zip"
    path.write_bytes(bytes(content))
    return path


def start_of_member(zipped: Path) -> int:
    with zipfile.ZipFile(zipped) as archive:
        entry = archive.getinfo("disp_0002_0001.nii.gz")
    return entry.header_offset + 30 + len(entry.filename)


def directory_entry(zipped: Path) -> int:
    return zipped.read_bytes().index(b"PK\x01\x02")


@pytest.mark.parametrize("offset", [0, 200], ids=["deflate", "content"])
def test_a_damaged_member_of_a_zip_cannot_be_read(
    offset: int, zipped: Path, tmp_path: Path
) -> None:
    place = start_of_member(zipped) + offset
    submission = open_submission(damaged(zipped, tmp_path, place, 255, 255, 255, 255))
    with pytest.raises(FieldError, match=r"damaged.zip/disp_0002_0001.nii.gz: "):
        submission.read("disp_0002_0001.nii.gz")


def test_a_zip_with_a_password_cannot_be_read(zipped: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(zipped) as archive:
        encrypted = archive.getinfo("disp_0002_0001.nii.gz")
        number = archive.infolist().index(encrypted)
    content, place = zipped.read_bytes(), -1
    for _ in range(number + 1):
        place = content.index(b"PK\x01\x02", place + 1)
    submission = open_submission(damaged(zipped, tmp_path, place + 8, content[place + 8] | 1))
    with pytest.raises(FieldError, match=r"disp_0002_0001.nii.gz: .*(encrypted|password)"):
        submission.read("disp_0002_0001.nii.gz")


def test_a_zip_with_a_damaged_table_of_contents_is_refused(zipped: Path, tmp_path: Path) -> None:
    path = damaged(zipped, tmp_path, directory_entry(zipped), 0)
    with pytest.raises(SubmissionError, match=r"damaged.zip: "):
        open_submission(path).names()


@given(data=st.data())
def test_no_damage_to_a_zip_is_a_traceback(
    data: st.DataObject, zipped: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    size = zipped.stat().st_size
    ends = st.one_of(st.integers(0, 120), st.integers(size - 300, size - 1))
    path = damaged(
        zipped,
        tmp_path_factory.getbasetemp(),
        data.draw(ends | st.integers(0, size - 1)),
        data.draw(st.integers(0, 255)),
    )
    told = str(path)
    try:
        submission = open_submission(path)
        for name in submission.names():
            submission.read(name)
    except L2RError as error:
        told = str(error)
    assert told.startswith(str(path))
    assert "\n" not in told


def test_a_zip_with_a_damaged_lzma_member_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fields.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("disp.nii.gz", b"field" * 99)
    content = bytearray(path.read_bytes())
    properties = 30 + len("disp.nii.gz") + 4  # after the member's header and LZMA's own version
    content[properties] = 255
    path.write_bytes(content)
    with pytest.raises(FieldError, match=r"disp.nii.gz: cannot be read"):
        open_submission(path).read("disp.nii.gz")


def test_a_zip_that_goes_away_can_no_longer_be_read(zipped: Path, tmp_path: Path) -> None:
    path = tmp_path / "fields.zip"
    shutil.copy(zipped, path)
    submission = open_submission(path)
    path.unlink()
    with pytest.raises(FieldError, match=r"fields.zip/disp_0002_0001.nii.gz: cannot be read"):
        submission.read("disp_0002_0001.nii.gz")


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_field_in_the_right_shape_is_taken_as_it_is(kind: type) -> None:
    stored = noise(*SHAPE, 3).astype(kind)
    assert as_vectors(stored, SHAPE, task(), "x") is stored


def test_channels_first_is_taken_where_the_task_allows_it() -> None:
    stored = noise(3, *SHAPE)
    vectors = as_vectors(stored, SHAPE, task(), "x")
    assert vectors.shape == (*SHAPE, 3)
    np.testing.assert_array_equal(vectors[..., 1], stored[1])
    with pytest.raises(FieldError, match=r"the components are the first axis, move them last$"):
        as_vectors(stored, SHAPE, task(channels_first=False), "x")


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        ((*SHAPE, 1, 3), "; this is ITK's layout, squeeze the fourth axis (and mind its mm"),
        ((3, 4, 5, 3), "; this is the half grid, upsample by 2 and double the values"),
        ((3, 3, 4, 5), "; this is the half grid, upsample by 2, double the values, components"),
        ((10, 8, 6, 3), "; the axes are reversed, (z, y, x) instead of (x, y, z)"),
        ((6, 8, 11, 3), ""),
        ((6, 8, 10), ""),
        ((6, 8, 10, 2), ""),
        ((), ""),
    ],
    ids=str,
)
def test_a_wrong_shape_is_named_and_what_it_looks_like(found: tuple[int, ...], hint: str) -> None:
    with pytest.raises(FieldError) as caught:
        as_vectors(np.zeros(found, np.float32), SHAPE, task(), "disp_1_2.nii.gz")
    said = f"disp_1_2.nii.gz: shape {found}, but task 'small' asks for (6, 8, 10, 3)"
    assert str(caught.value).startswith(said + hint)
    assert bool(hint) == (str(caught.value) != said)


def test_a_cube_is_never_called_reversed() -> None:
    with pytest.raises(FieldError, match=r"asks for \(4, 4, 4, 3\); this is the half grid"):
        as_vectors(noise(2, 2, 2, 3), (4, 4, 4), task(), "x")
    assert as_vectors(noise(4, 4, 4, 3), (4, 4, 4), task(), "x").shape == (4, 4, 4, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels_first", [False, True])
def test_values_that_are_not_finite_are_counted(value: float, channels_first: bool) -> None:
    stored = noise(3, *SHAPE) if channels_first else noise(*SHAPE, 3)
    stored.flat[[0, 7]] = value
    with pytest.raises(FieldError, match=r"^x: 2 of 1440 values are NaN or infinite$"):
        as_vectors(stored, SHAPE, task(), "x")
