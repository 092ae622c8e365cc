"""NIfTI as it comes in the wild, and as we write it."""

import gzip
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from isal import igzip

from l2r.disk import TEMPORARY
from l2r.errors import FieldError, ImageError, L2RError, OutputError
from l2r.formats.fields import read_field, write_field
from l2r.formats.volumes import Image, grid_shape, read_image, read_labels
from tests.l2r.making import nifti, noise, save

SHAPE = (3, 4, 5)
COUNTED = np.arange(60).reshape(SHAPE)
AFFINE = np.array([[-1.0, 0, 0, 90], [0, 0, 1.5, -126], [0, 2, 0, -72], [0, 0, 0, 1]])
KINDS = ["u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8", ">i2", ">i4", ">f4"]
READERS: list[Callable[[Path], object]] = [read_image, read_labels, grid_shape]

UNREADABLE = {
    "nothing": b"",
    "a word": b"brain",
    "a text": b"x y z\n" * 200,
    "a gzipped nothing": gzip.compress(b""),
    "a gzipped word": gzip.compress(b"brain"),
    "a gzipped text": gzip.compress(b"x y z\n" * 200),
    "half a header": nifti(COUNTED.astype("u1"))[:200],
    "half a gzip header": gzip.compress(b"x")[:6],
    "a gzip with a wrong method": b"\x1f\x8b\x07" + gzip.compress(nifti(COUNTED.astype("u1")))[3:],
    "no such type": nifti(COUNTED.astype("u1"))[:70] + b"\x77\x00" + bytes(500),
    "an offset that is no number": nifti(COUNTED.astype("u1"))[:108] + b"\xff" * 4 + bytes(500),
}
"""What a file may hold that is no image at all."""


def written(folder: Path, content: bytes, name: str = "image.nii") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def patched(content: bytes, place: int, form: str, *values: float) -> bytes:
    result = bytearray(content)
    struct.pack_into(form, result, place, *values)
    return bytes(result)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["nii", "gz"])
@pytest.mark.parametrize("header", [nib.Nifti1Image, nib.Nifti2Image], ids=["1", "2"])
@pytest.mark.parametrize("kind", KINDS)
def test_images_of_every_type_are_read_as_float32(
    kind: str, header: type, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    name = "image.nii" if pack is bytes else "image.nii.gz"
    path = written(tmp_path, pack(nifti(COUNTED.astype(kind), header)), name)
    image = read_image(path)
    assert image.array.dtype == np.float32
    assert image.array.dtype.isnative
    np.testing.assert_array_equal(image.array, COUNTED)
    assert image.shape == grid_shape(path) == SHAPE
    np.testing.assert_array_equal(read_labels(path), COUNTED)


def test_the_file_that_is_in_big_endian_order_is_so_for_other_readers_too() -> None:
    content = nifti(COUNTED.astype(">i2"))
    assert struct.unpack_from(">i", content, 0) == (348,)
    assert struct.unpack_from(">60h", content, 352) == tuple(COUNTED.ravel(order="F"))


@pytest.mark.parametrize("kind", ["u1", "<i2", "<f4"])
def test_the_header_scales_the_values(kind: str, tmp_path: Path) -> None:
    content = patched(nifti(COUNTED.astype(kind)), 112, "<2f", 0.5, -3)
    image = read_image(written(tmp_path, content))
    assert image.array.dtype == np.float32
    np.testing.assert_allclose(image.array, 0.5 * COUNTED - 3)


def test_labels_may_be_scaled_too_as_long_as_they_stay_whole(tmp_path: Path) -> None:
    content = patched(nifti(COUNTED.astype("u1")), 112, "<2f", 2, 1)
    labels = read_labels(written(tmp_path, content))
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, 2 * COUNTED + 1)


@pytest.mark.parametrize("name", ["image.nii.gz", "image.nii"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("read", READERS)
def test_the_content_decides_whether_a_file_is_unpacked_not_its_name(
    read: Callable[[Path], object], pack: Callable[[bytes], bytes], name: str, tmp_path: Path
) -> None:
    content = nifti(COUNTED.astype("u1"))
    found = read(written(tmp_path, pack(content), name))
    expected = read(written(tmp_path, content, "as-it-is.nii"))
    np.testing.assert_array_equal(
        getattr(found, "array", found), getattr(expected, "array", expected)
    )


def test_a_stream_of_two_gzip_members_is_one_file(tmp_path: Path) -> None:
    content = nifti(COUNTED.astype("u1"))
    packed = gzip.compress(content[:300]) + gzip.compress(content[300:])
    np.testing.assert_array_equal(read_image(written(tmp_path, packed)).array, COUNTED)


@pytest.mark.parametrize("shape", [(*SHAPE, 1), (*SHAPE, 1, 1)], ids=str)
def test_the_shape_in_the_header_may_end_in_ones(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = save(tmp_path / "image.nii", COUNTED.reshape(shape).astype("u1"))
    assert grid_shape(path) == SHAPE
    assert read_image(path).shape == SHAPE
    np.testing.assert_array_equal(read_labels(path), COUNTED)


@pytest.mark.parametrize("shape", [(3, 4, 5, 2), (3, 4, 5, 1, 3), (12,)], ids=str)
@pytest.mark.parametrize("read", READERS)
def test_anything_but_three_dimensions_is_refused(
    read: Callable[[Path], object], shape: tuple[int, ...], tmp_path: Path
) -> None:
    path = save(tmp_path / "image.nii", np.arange(np.prod(shape), dtype="u1").reshape(shape))
    expected = rf"image.nii: shape \({', '.join(map(str, shape))},?\), but a 3-D volume"
    with pytest.raises(ImageError, match=expected):
        read(path)


@pytest.mark.parametrize("read", READERS)
def test_an_image_without_voxels_is_refused(read: Callable[[Path], object], tmp_path: Path) -> None:
    path = save(tmp_path / "image.nii", np.zeros((3, 0, 5), "u1"))
    with pytest.raises(ImageError, match=r"image.nii: shape .*0.*, but a 3-D volume"):
        read(path)


def test_where_the_array_axes_point_to_is_in_the_affine(tmp_path: Path) -> None:
    path = tmp_path / "image.nii.gz"
    nib.save(nib.Nifti1Image(COUNTED.astype("f4"), AFFINE), path)
    image = read_image(path)
    np.testing.assert_allclose(image.affine, AFFINE)
    assert image.affine.dtype == np.float64
    assert image.orientation == "LSA"
    assert Image(image.array, np.zeros((4, 4))).orientation == "???"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted(value: float, tmp_path: Path) -> None:
    array = COUNTED.astype("f4")
    array[1, 1, 1:3] = value
    with pytest.raises(ImageError, match=r"image.nii: 2 voxels are NaN or infinite; mend"):
        read_image(save(tmp_path / "image.nii", array))


def test_values_beyond_float32_are_not_finite_either(tmp_path: Path) -> None:
    array = COUNTED.astype("f8")
    array[0, 0, 0] = 1e300
    with pytest.raises(ImageError, match=r"image.nii: 1 voxels are NaN or infinite"):
        read_image(save(tmp_path / "image.nii", array))


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_image_cannot_be_registered_but_a_constant_label_map_is_one(
    value: int, tmp_path: Path
) -> None:
    path = save(tmp_path / "image.nii", np.full(SHAPE, value, "u1"))
    with pytest.raises(ImageError, match=rf"every voxel is {value}; a constant image cannot be"):
        read_image(path)
    assert (read_labels(path) == value).all()


@pytest.mark.parametrize(
    "kind", ["c8", "c16", [("R", "u1"), ("G", "u1"), ("B", "u1")]], ids=["c8", "c16", "rgb"]
)
def test_voxels_must_be_plain_numbers(kind: object, tmp_path: Path) -> None:
    path = save(tmp_path / "image.nii", np.zeros(SHAPE, kind))
    for read in (read_image, read_labels):
        with pytest.raises(ImageError, match=r"image.nii: voxels are of type .*plain numbers"):
            read(path)
    with pytest.raises(FieldError, match=r"image.nii: voxels are of type .*plain numbers"):
        read_field(path)


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
def test_labels_may_be_stored_as_floats(kind: str, tmp_path: Path) -> None:
    labels = read_labels(save(tmp_path / "labels.nii", (COUNTED - 7).astype(kind)))
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, COUNTED - 7)


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        (3_000_000_000, np.int64),
        (10**12, np.int64),
        (-(10**12), np.int64),
        (2**63, np.uint64),
    ],
    ids=str,
)
def test_large_labels_stored_as_floats_keep_their_value(
    label: int, kind: type, tmp_path: Path
) -> None:
    array = (COUNTED - COUNTED.min()).astype("f8")
    array[1, 2, 3] = label
    labels = read_labels(save(tmp_path / "labels.nii", array))
    assert (labels.dtype, int(labels[1, 2, 3])) == (kind, label)


@pytest.mark.parametrize("kind", ["u1", "<i2", "<i4", "<i8"])
def test_labels_keep_their_integer_type(kind: str, tmp_path: Path) -> None:
    assert read_labels(save(tmp_path / "labels.nii", COUNTED.astype(kind))).dtype == kind


@pytest.mark.parametrize("value", [2.5, 0.02, 1e20])
def test_labels_that_are_not_whole_numbers_are_refused(value: float, tmp_path: Path) -> None:
    array = COUNTED.astype("f8")
    array[1, 2, 3] = value
    with pytest.raises(ImageError, match=r"labels must be whole numbers, 1 are not, .*was the map"):
        read_labels(save(tmp_path / "labels.nii", array))


@pytest.mark.parametrize("name", ["image.nii", "image.nii.gz"])
@pytest.mark.parametrize("read", READERS)
def test_a_missing_image_is_named(
    read: Callable[[Path], object], name: str, tmp_path: Path
) -> None:
    with pytest.raises(ImageError, match=rf"^{tmp_path / name}: .*[Nn]o such file"):
        read(tmp_path / name)


def test_a_name_that_the_locale_does_not_know_is_told_with_a_way_out() -> None:
    code = (
        "from pathlib import Path; from l2r.formats.volumes import read_image\n"
        "try: read_image(Path('f\\xe4lle.nii'))\n"
        "except Exception as error: print(type(error).__name__, ascii(str(error)))"
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | plain,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(
        "ImageError 'f\\xe4lle.nii: this locale cannot name the file; set"
    )


@pytest.mark.parametrize("read", READERS)
def test_a_folder_is_no_image(read: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "image.nii.gz"
    path.mkdir()
    with pytest.raises(ImageError, match=r"image.nii.gz: .*cannot be read: "):
        read(path)


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=list(UNREADABLE))
@pytest.mark.parametrize("name", ["image.nii", "image.nii.gz"])
@pytest.mark.parametrize("read", [*READERS, read_field])
def test_what_is_no_nifti_is_refused_in_one_line(
    read: Callable[[Path], object], name: str, content: bytes, tmp_path: Path
) -> None:
    with pytest.raises((ImageError, FieldError), match=rf"{name}: ") as caught:
        read(written(tmp_path, content, name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [1, 9, 100, 400])
def test_a_truncated_gzip_stream_says_so(cut: int, tmp_path: Path) -> None:
    packed = gzip.compress(nifti(noise(9, 9, 9)))
    path = written(tmp_path, packed[:-cut], "image.nii.gz")
    for read in (read_image, read_labels):
        with pytest.raises(ImageError, match=r"image.nii.gz: the gzip stream is truncated; copy"):
            read(path)
    with pytest.raises(FieldError, match=r"image.nii.gz: the gzip stream is truncated; copy"):
        read_field(path)


@pytest.mark.parametrize("place", [-8, -4, 40], ids=["check sum", "length", "stream"])
def test_a_damaged_gzip_stream_is_refused(place: int, tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(nifti(noise(9, 9, 9))))
    packed[place : place + 4 or None] = b"\xff\xfe\xfd\xfc"
    with pytest.raises(ImageError, match=r"image.nii.gz: (cannot be read|not a valid gzip)"):
        read_image(written(tmp_path, bytes(packed), "image.nii.gz"))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["nii", "gz"])
def test_truncated_data_are_refused_in_one_line_though_their_shape_is_known(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = written(tmp_path, pack(nifti(COUNTED.astype("u1"))[:-9]))
    with pytest.raises(ImageError, match=r"image.nii: the image data are incomplete") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)
    if pack is bytes:
        assert grid_shape(path) == SHAPE


def test_a_header_that_promises_the_moon_is_refused(tmp_path: Path) -> None:
    content = patched(nifti(COUNTED.astype("f8")), 42, "<3h", 32767, 32767, 32767)
    with pytest.raises(ImageError, match=r"image.nii: the image data are incomplete"):
        read_image(written(tmp_path, content))


@pytest.mark.parametrize(
    ("header", "place", "form", "start"),
    [
        (nib.Nifti1Image, 108, "<f", 0),
        (nib.Nifti1Image, 108, "<f", np.nan),
        (nib.Nifti2Image, 168, "<q", 0),
    ],
    ids=["1", "NaN", "2"],
)
def test_voxels_are_not_looked_for_within_the_header(
    header: type, place: int, form: str, start: float, tmp_path: Path
) -> None:
    content = nifti(COUNTED, header)
    right = read_image(written(tmp_path, content, "right.nii"))
    found = read_image(written(tmp_path, patched(content, place, form, start)))
    assert np.array_equal(found.array, right.array)
    assert found.warnings == ("its vox_offset points into the header; read from behind it",)


@given(place=st.integers(0, 347), value=st.integers(0, 255))
@example(place=111, value=95)  # the data begin beyond any file
def test_no_byte_of_a_header_is_a_traceback(
    place: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = patched(nifti(noise(*SHAPE)), place, "B", value)
    path = written(tmp_path_factory.getbasetemp(), content)
    for read in READERS:
        told = str(path)
        try:
            read(path)
        except L2RError as error:
            told = str(error)
        assert told.startswith(str(path))
        assert "\n" not in told


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("<f4", "f4"), (">f4", "f4"), ("<f8", "f8"), (">f8", "f8"), ("<i2", "f4"), ("<i4", "f8")],
)
def test_fields_keep_their_shape_and_precision(kind: str, expected: str, tmp_path: Path) -> None:
    stored = (10 * noise(3, 4, 5, 1, 3)).astype(kind)
    field = read_field(save(tmp_path / "disp.nii.gz", stored))
    assert field.dtype == expected
    assert field.dtype.isnative
    np.testing.assert_array_equal(field, stored)


def test_a_field_may_come_from_memory_and_is_named_all_the_same() -> None:
    stored = noise(*SHAPE, 3)
    path = Path("fields.zip/disp_1_2.nii.gz")
    np.testing.assert_array_equal(read_field(path, gzip.compress(nifti(stored))), stored)
    with pytest.raises(FieldError, match=r"fields.zip/disp_1_2.nii.gz: the gzip stream is trunc"):
        read_field(path, gzip.compress(nifti(stored))[:-20])


def test_a_written_field_is_what_other_readers_read(tmp_path: Path) -> None:
    path, vectors = tmp_path / "disp.nii.gz", noise(*SHAPE, 3)
    write_field(path, vectors, AFFINE)
    image = nib.load(path)
    assert isinstance(image, nib.Nifti1Image)
    assert image.shape == (*SHAPE, 3)
    assert image.get_data_dtype() == np.dtype("<f4")
    assert image.header.get_slope_inter() == (None, None)
    np.testing.assert_allclose(image.affine, AFFINE)
    np.testing.assert_array_equal(np.asarray(image.dataobj), vectors)


def test_a_written_field_is_an_ordinary_gzip_file_of_an_ordinary_nifti_file(
    tmp_path: Path,
) -> None:
    path, vectors = tmp_path / "disp.nii.gz", noise(*SHAPE, 3)
    write_field(path, vectors, AFFINE)
    content = gzip.decompress(path.read_bytes())
    assert len(content) == 352 + vectors.nbytes
    assert struct.unpack_from("<i", content, 0) == (348,)
    assert struct.unpack_from("<8h", content, 40) == (4, 3, 4, 5, 3, 1, 1, 1)
    assert struct.unpack_from("<f", content, 108) == (352.0,)
    assert content[344:352] == b"n+1\0\0\0\0\0"
    stored = np.frombuffer(content[352:], "<f4").reshape(vectors.shape, order="F")
    np.testing.assert_array_equal(stored, vectors)


@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    kind=st.sampled_from(["<f4", ">f4", "f8"]),
    order=st.sampled_from(["C", "F"]),
    seed=st.integers(0, 99),
)
def test_fields_of_any_memory_layout_are_written_and_read_back(
    shape: tuple[int, int, int],
    kind: str,
    order: str,
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / "disp.nii.gz"
    vectors = np.array(noise(*shape, 3, seed=seed), kind, order=order)
    write_field(path, vectors, np.eye(4))
    np.testing.assert_array_equal(read_field(path), vectors)
    write_field(path, np.moveaxis(np.moveaxis(vectors, -1, 0).copy(), 0, -1)[::-1], np.eye(4))
    np.testing.assert_array_equal(read_field(path), vectors[::-1])


def test_a_field_is_written_byte_for_byte_the_same_whenever_and_under_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = noise(*SHAPE, 3)
    write_field(tmp_path / "one.nii.gz", vectors, AFFINE)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_field(tmp_path / "two.nii.gz", np.asfortranarray(vectors), AFFINE)
    content = (tmp_path / "one.nii.gz").read_bytes()
    assert content == (tmp_path / "two.nii.gz").read_bytes()
    assert content[3:8] == bytes(5)  # neither a name nor a time


def test_a_field_may_be_written_with_its_components_first(tmp_path: Path) -> None:
    path, vectors = tmp_path / "disp.nii.gz", noise(3, *SHAPE)
    write_field(path, vectors, AFFINE)
    image = nib.load(path)
    assert image.shape == (3, *SHAPE)
    np.testing.assert_array_equal(np.asarray(image.dataobj), vectors)


def fail_on_call(number: int, error: BaseException) -> Callable[..., int]:
    """An `IGzipFile.write` that works until it does not."""
    write, calls = igzip.IGzipFile.write, [0]

    def failing(self: igzip.IGzipFile, data: bytes) -> int:
        calls[0] += 1
        if calls[0] == number:
            raise error
        return write(self, data)

    return failing


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_failure_while_writing_leaves_what_was_there_and_nothing_else(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "disp.nii.gz"
    write_field(path, noise(*SHAPE, 3), AFFINE)
    before = path.read_bytes()
    monkeypatch.setattr(
        igzip.IGzipFile, "write", fail_on_call(number, OSError(5, "Input/output error"))
    )
    with pytest.raises(OutputError, match=r"disp.nii.gz: cannot be written: Input/output error$"):
        write_field(path, noise(*SHAPE, 3, seed=1), AFFINE)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_an_interrupted_write_leaves_nothing_behind_and_stays_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(igzip.IGzipFile, "write", fail_on_call(3, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_field(tmp_path / "disp.nii.gz", noise(*SHAPE, 3), AFFINE)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_cannot_be_written_to(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "disp.nii.gz"
    with pytest.raises(OutputError, match=rf"^{path}: cannot be written: No such file or dir"):
        write_field(path, noise(*SHAPE, 3), AFFINE)


def test_a_file_cannot_be_written_into_or_over_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be written: Not a directory"):
        write_field(tmp_path / "file" / "disp.nii.gz", noise(*SHAPE, 3), AFFINE)
    path = tmp_path / "disp.nii.gz"
    path.mkdir()
    with pytest.raises(OutputError, match=r"cannot be written: Is a directory"):
        write_field(path, noise(*SHAPE, 3), AFFINE)
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "file"]


def test_a_read_only_folder_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("root may write anywhere")
    with pytest.raises(OutputError, match=r"cannot be written: Permission denied"):
        write_field(tmp_path / "disp.nii.gz", noise(*SHAPE, 3), AFFINE)


def test_a_folder_of_the_kernel_cannot_be_written_to_even_by_root() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("there is no /proc")
    with pytest.raises(OutputError, match=r"^/proc/self/disp.nii.gz: cannot be written: "):
        write_field(Path("/proc/self/disp.nii.gz"), noise(*SHAPE, 3), AFFINE)


@pytest.mark.parametrize("shape", [SHAPE, (40, 40, 40)], ids=["small", "large"])
def test_a_full_disk_cannot_be_written_to(
    shape: tuple[int, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full")
    really_open = Path.open

    def open_full(self: Path, mode: str) -> object:
        return really_open(full if self.name.endswith(TEMPORARY) else self, "r+b", buffering=0)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(OutputError, match=r"disp.nii.gz: cannot be written: No space left on dev"):
        write_field(tmp_path / "disp.nii.gz", noise(*shape, 3), AFFINE)
    assert not list(tmp_path.iterdir())


def test_an_image_of_two_axes_is_one_slice(tmp_path: Path) -> None:
    array = np.arange(20, dtype=np.int16).reshape(4, 5)
    for name, stored in {"two": array, "three": array[..., None]}.items():
        nib.save(nib.Nifti1Image(stored, np.diag([2.0, 3, 4, 1])), tmp_path / f"{name}.nii.gz")
        image = read_image(tmp_path / f"{name}.nii.gz")
        np.testing.assert_array_equal(image.array[..., 0], array)
        assert image.shape == grid_shape(tmp_path / f"{name}.nii.gz") == (4, 5, 1)
        assert tuple(image.spacing_mm[:2]) == (2, 3)
