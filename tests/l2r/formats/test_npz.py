"""Fields in NumPy's archives."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from l2r.errors import FieldError
from l2r.formats.fields import read_field, write_field
from l2r.submission import open_submission
from tests.l2r.making import noise


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i2"])
def test_the_one_array_is_read_as_float32_whatever_its_name(save, kind: str, tmp_path) -> None:
    array = (100 * noise(3, 4, 5, 3)).astype(kind)
    save(tmp_path / "disp.npz", whatever=array)
    read = open_submission(tmp_path).read("disp.npz")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, array.astype(np.float32))


def packed(**arrays: np.ndarray) -> bytes:
    content = BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def zipped(content: bytes) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.npy", content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (packed(), "0 arrays, but the scorer takes exactly one"),
        (packed(a=np.ones(2), b=np.ones(2)), "2 arrays"),
        (packed(a=np.array([{}], dtype=object)), "not a NumPy archive: Object arrays cannot"),
        (packed(a=np.array(["x"])), "values are of type <U1"),
        (packed(a=np.zeros(3, complex)), "values are of type complex128"),
        (b"no zip", "not a NumPy archive: File is not a zip file"),
        (zipped(b"no array"), "not a NumPy archive"),
        (packed(a=np.zeros((100, 100))), "it unpacks to more than the 10000 bytes of a field"),
        (packed(a=noise(40, 40))[:-30], "not a NumPy archive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_one_small_array_of_numbers_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(FieldError, match=rf"^disp.npz: {problem}") as caught:
        read_field(Path("disp.npz"), content, 10_000)
    assert "\n" not in str(caught.value)


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"disp.npz: no such file$"):
        read_field(tmp_path / "disp.npz")


def test_the_same_field_is_the_same_file_and_numpy_reads_it(tmp_path: Path) -> None:
    field = np.random.default_rng(0).normal(size=(4, 5, 6, 3)).astype(np.float32)
    for name in ("a.npz", "b.npz"):
        write_field(tmp_path / name, field, np.eye(4))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    (found,) = np.load(tmp_path / "a.npz").values()
    np.testing.assert_array_equal(found, field)
    np.testing.assert_array_equal(read_field(tmp_path / "a.npz"), field)
