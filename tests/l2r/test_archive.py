"""Zips that nobody should unpack."""

import stat
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from l2r import archive
from l2r.errors import FieldError, SubmissionError
from l2r.formats.fields import write_field
from l2r.submission import open_submission
from tests.l2r.making import noise

FIELD = "disp_0002_0001.nii.gz"


def zipped(path: Path, *entries: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that stands twice
        for name, content in entries:
            target.writestr(name, content)
    return path


def link(path: Path) -> None:
    entry = zipfile.ZipInfo(FIELD)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as target:
        target.writestr(entry, "/etc/passwd")


def entries(*entries: tuple[str, bytes]) -> Callable[[Path], object]:
    return lambda path: zipped(path, *entries)


def renamed(path: Path) -> None:
    """An absolute name: the module that writes zips takes the slash away."""
    zipped(path, ("_etc_evil", b""))
    path.write_bytes(path.read_bytes().replace(b"_etc_evil", b"/etc/evil"))


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (entries(("../evil", b"")), r"\.\./evil would be unpacked outside the folder"),
        (entries(("a/../../evil", b"")), r"a/\.\./\.\./evil would be unpacked outside"),
        (entries(("..\\evil", b"")), r"\.\.\\evil would be unpacked outside"),
        (entries(("C:evil", b"")), r"C:evil would be unpacked outside"),
        (renamed, r"/etc/evil would be unpacked outside"),
        (link, r"disp_0002_0001\.nii\.gz is a link or a device"),
        (entries((FIELD, b"1"), (FIELD, b"2")), r"disp_0002_0001\.nii\.gz stands more than once"),
        (
            entries((FIELD, b"1"), (f"./{FIELD}", b"2")),
            r"\./disp_0002_0001\.nii\.gz stands more than once",
        ),
        (entries(("./../evil", b"")), r"\./\.\./evil would be unpacked outside the folder"),
        (
            entries((FIELD, bytes(17 << 20))),
            r"disp_0002_0001\.nii\.gz would unpack to more than 200",
        ),
        (entries(("a\nb/..", b"")), r"'a\\nb/\.\.' would be unpacked outside"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_zip_that_could_do_harm_is_refused(
    make: Callable[[Path], object], problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "fields.zip"
    make(path)
    with pytest.raises(SubmissionError, match=rf"fields\.zip: {problem}") as caught:
        open_submission(path).names()
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("limit", "value", "problem"),
    [
        ("MEMBERS", 1, "2 files, but at most 1 are read"),
        ("MEMBER_BYTES", 5, "b would unpack to 6 bytes"),
        ("TOTAL_BYTES", 10, "would unpack to more than 0 GiB"),
    ],
)
def test_limits_hold(
    limit: str, value: int, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "fields.zip", ("a", b"12345"), ("b", b"123456"))
    assert open_submission(path).names() == ["a", "b"]
    monkeypatch.setattr(archive, limit, value)
    with pytest.raises(SubmissionError, match=problem):
        open_submission(path).names()


@pytest.mark.parametrize("before", ["./", ".//", "././"])
def test_a_dot_before_a_name_is_dropped_as_unpacking_does(before: str, tmp_path: Path) -> None:
    field = noise(4, 4, 4, 3)
    write_field(tmp_path / FIELD, field, np.eye(4))
    path = zipped(tmp_path / "fields.zip", (before + FIELD, (tmp_path / FIELD).read_bytes()))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / FIELD).is_file()
    assert open_submission(path).names() == [FIELD]
    np.testing.assert_array_equal(open_submission(path).read(FIELD), field)


def test_a_backslash_stays_in_a_name_as_on_the_scorers_system(tmp_path: Path) -> None:
    path = zipped(tmp_path / "fields.zip", (f"sub\\{FIELD}", b""))
    assert open_submission(path).names() == [f"sub\\{FIELD}"]


def test_what_shrinks_a_lot_but_is_small_is_no_bomb(tmp_path: Path) -> None:
    path = zipped(tmp_path / "fields.zip", ("notes.txt", bytes(1 << 20)))
    assert open_submission(path).names() == ["notes.txt"]


def test_a_field_that_unpacks_to_more_than_a_field_is_not_unpacked(tmp_path: Path) -> None:
    folder = tmp_path / "fields"
    folder.mkdir()
    write_field(folder / FIELD, noise(40, 40, 40, 3), np.eye(4))
    size = 352 + 40**3 * 3 * 4
    path = zipped(tmp_path / "fields.zip", (FIELD, (folder / FIELD).read_bytes()))
    for submission in map(open_submission, (folder, path)):
        assert submission.read(FIELD, size).shape == (40, 40, 40, 3)
        with pytest.raises(FieldError, match=rf"{FIELD}: it unpacks to more than the {size - 1} b"):
            submission.read(FIELD, size - 1)
        with pytest.raises(FieldError, match=r"it unpacks to more than|not a valid gzip|truncated"):
            submission.read(FIELD, 1000)


def test_no_more_of_a_member_than_a_field_may_have_is_in_memory(tmp_path: Path) -> None:
    path = zipped(tmp_path / "fields.zip", (FIELD, bytes(15 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(FieldError):
            open_submission(path).read(FIELD, 1000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
