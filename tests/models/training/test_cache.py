"""Volumes on the disk in as few bytes as they need."""

import os
from pathlib import Path

import numpy as np
import pytest

from l2r.errors import ImageError, OutputError
from l2r.formats.volumes import read_image, write_volume
from models.training.cache import Cache


def written(path: Path, array: np.ndarray) -> Path:
    write_volume(path, array)
    return path


def some(dtype: str, scale: float = 1) -> np.ndarray:
    return (np.arange(60).reshape(3, 4, 5) * scale).astype(dtype)


def test_bytes_stay_bytes_and_are_mapped(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nii.gz", some("float32", 4))
    array = Cache(tmp_path / "cache").image(path)
    assert (array.dtype, isinstance(array, np.memmap)) == (np.uint8, True)
    assert np.array_equal(array, read_image(path).array)


@pytest.mark.parametrize("scale", [0.25, 10, -1])
def test_other_values_have_half_precision(tmp_path: Path, scale: float) -> None:
    path = written(tmp_path / "a.nii.gz", some("float32", scale))
    array = Cache(tmp_path / "cache").image(path)
    assert array.dtype == np.float16
    np.testing.assert_allclose(array, some("float32", scale), rtol=2**-11)


@pytest.mark.parametrize(
    "values",
    [some("float32", 2000), some("float32", 1e-9), 5000 + some("float32", 0.1)],
    ids=["large", "tiny", "small differences of large values"],
)
def test_values_that_half_precision_would_spoil_stay_as_they_are(
    tmp_path: Path, values: np.ndarray
) -> None:
    path = written(tmp_path / "a.nii.gz", values)
    array = Cache(tmp_path / "cache").image(path)
    assert array.dtype == np.float32
    assert np.array_equal(array, read_image(path).array)


@pytest.mark.parametrize(("largest", "dtype"), [(59, "uint8"), (2035, "uint16"), (-3, "int16")])
def test_label_maps_keep_every_number(tmp_path: Path, largest: int, dtype: str) -> None:
    labels = some("int32")
    labels[-1, -1, -1] = largest
    array = Cache(tmp_path / "cache").labels(written(tmp_path / "a.nii.gz", labels))
    assert array.dtype == dtype
    assert np.array_equal(array, labels)


def test_an_image_is_decoded_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    path, cache = written(tmp_path / "a.nii.gz", some("uint8")), Cache(tmp_path / "cache")
    cache.image(path)
    (kept,) = (tmp_path / "cache").iterdir()
    made = kept.stat().st_mtime_ns
    cache.image(path)
    assert kept.stat().st_mtime_ns == made
    written(path, some("uint8", 2))
    os.utime(path, ns=(0, 1))
    assert np.array_equal(cache.image(path), some("uint8", 2))


def test_a_damaged_file_of_the_cache_is_named(tmp_path: Path) -> None:
    path, cache = written(tmp_path / "a.nii.gz", some("uint8")), Cache(tmp_path / "cache")
    cache.image(path)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(ImageError, match=rf"{kept.name}: damaged: .*; delete it"):
        cache.image(path)


def test_a_missing_image_and_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.nii\.gz: cannot be read: No such file"):
        Cache(tmp_path / "cache").image(tmp_path / "gone.nii.gz")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        Cache(tmp_path / "file" / "cache")
