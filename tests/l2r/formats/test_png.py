"""PNG images are slices of 1 mm; what has no single grey value is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from l2r.errors import ImageError, OutputError
from l2r.formats.volumes import grid_shape, grid_spacing, read_image, read_labels, write_volume

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_the_first_axis_runs_to_the_right_and_the_second_down(kind: type, tmp_path: Path) -> None:
    rows = RNG.integers(0, np.iinfo(kind).max, (5, 7)).astype(kind)
    Image.fromarray(rows).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == grid_shape(tmp_path / "a.png") == (7, 5, 1)
    assert image.array[6, 0, 0] == rows[0, 6]
    np.testing.assert_array_equal(image.array[..., 0], rows.T)
    np.testing.assert_array_equal(image.affine, np.eye(4))
    assert grid_spacing(tmp_path / "a.png") == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_label_map_comes_back(kind: type, tmp_path: Path) -> None:
    labels = RNG.integers(0, 200, (7, 5, 1)).astype(kind)
    write_volume(tmp_path / "a.png", labels)
    found = read_labels(tmp_path / "a.png")
    np.testing.assert_array_equal(found, labels)
    assert found.dtype == kind


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "1"])
def test_what_is_not_grey_is_refused(mode: str, tmp_path: Path) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "a.png")
    words = rf"a\.png: a PNG of kind {mode}, but grey values of 8 or 16 bits are expected; convert"
    for read in (read_image, read_labels, grid_shape):
        with pytest.raises(ImageError, match=words):
            read(tmp_path / "a.png")


def test_what_is_no_png_is_refused_in_one_line(tmp_path: Path) -> None:
    Image.fromarray(RNG.integers(0, 255, (40, 40)).astype(np.uint8)).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    for name, data in {"cut": content[:300], "text": b"no image", "none": b""}.items():
        (tmp_path / f"{name}.png").write_bytes(data)
        with pytest.raises(ImageError, match=rf"{name}\.png: not a PNG image: [^\n]+$"):
            read_image(tmp_path / f"{name}.png")
    with pytest.raises(ImageError, match=r"gone\.png: no such file"):
        read_image(tmp_path / "gone.png")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 4, 2), np.uint8), r"one slice, \(x, y, 1\), not \(4, 4, 2\)"),
        (np.zeros((4, 4, 1), np.float32), "whole numbers of 8 or 16 bits, not float32"),
        (np.zeros((4, 4, 1), np.int16), "whole numbers of 8 or 16 bits, not int16"),
    ],
)
def test_what_a_png_cannot_hold_is_not_written(
    array: np.ndarray, words: str, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=words):
        write_volume(tmp_path / "a.png", array)
    assert not list(tmp_path.iterdir())
