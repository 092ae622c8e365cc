"""Folders of prepared heads, and fields that come from there to the heads' own spaces."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from l2r.errors import ConfigError, FieldError, ImageError
from l2r.formats.fields import read_field, write_field
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.table import read_transform
from l2r.formats.volumes import Image, read_image, write_volume
from l2r.transforms.base import TransformChain
from pipeline.prepare.folder import SHEET, Head, PrepareFolder, heads_of
from pipeline.prepare.head import PreparedHead, PrepareHead
from pipeline.prepare.native import NativePair, prepared_transform
from pipeline.prepare.record import read_record
from pipeline.prepare.template import GRID
from tests.models.affine.heads import LANDMARKS_MM, moved
from tests.pipeline.conftest import Command
from tests.pipeline.prepare.conftest import HEAD_GRID, TRUE, brain_in_head, record_of


class TrueMap(PrepareHead):
    """Brings painted heads to where they lie without a search."""

    def __call__(self, image: Image) -> PreparedHead:
        volume = np.zeros(GRID.shape, np.uint8)
        volume[40:120, 40:180, 40:150] = 110
        return PreparedHead(volume, image.array > 40, TRUE, {"affine": "known"}, ("odd",), {})


@pytest.fixture
def source(tmp_path: Path) -> Head:
    head = Head(tmp_path / "in" / "a.nii.gz", tmp_path / "in" / "a_map.nii.gz")
    head.image.parent.mkdir()
    write_volume(head.image, brain_in_head(), HEAD_GRID.affine)
    write_volume(
        tmp_path / "in" / "a_map.nii.gz", np.ones(HEAD_GRID.shape, np.uint8), HEAD_GRID.affine
    )
    return head


def prepared(folder: Path, heads: list[Head]) -> list[str]:
    news: list[str] = []
    folder.mkdir(exist_ok=True)
    PrepareFolder(folder, prepare=TrueMap())(heads, news.append)
    return news


@pytest.mark.parametrize("changed", ["image", "labels"])
def test_images_and_label_maps_of_one_name_are_told_apart(
    changed: str, source: Head, tmp_path: Path
) -> None:
    """As challenges have them: imagesTr/a.nii.gz and labelsTr/a.nii.gz."""
    assert source.labels is not None
    (tmp_path / "labelsTr").mkdir()
    head = Head(source.image, source.labels.rename(tmp_path / "labelsTr" / "a.nii.gz"))
    folder = PrepareFolder(tmp_path / "out", prepare=TrueMap())
    prepared(tmp_path / "out", [head])
    assert folder.is_done(head)
    path = head.sources[changed]
    write_volume(path, 2 * np.asarray(nib.load(path).dataobj), HEAD_GRID.affine)
    assert not folder.is_done(head)


def test_image_labels_mask_transform_record_and_picture_are_written(
    source: Head, tmp_path: Path
) -> None:
    (news,) = prepared(tmp_path / "out", [source])

    assert news.endswith("odd")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    transform = "from-a_to-prepared_mode-image_xfm.mat"
    outputs = {"a.nii.gz", "a_labels.nii.gz", "a_desc-brain_mask.nii.gz", transform}
    assert names == {*outputs, "a.json", SHEET}
    record = read_record(tmp_path / "out" / "a.nii.gz")
    assert set(record.outputs_sha256) == outputs
    found = read_transform(tmp_path / "out" / transform, PairGrids())
    assert np.allclose(found(LANDMARKS_MM), record.transform(LANDMARKS_MM), atol=1e-4)
    assert read_image(tmp_path / "out" / "a.nii.gz").grid.is_like(GRID)


def test_what_was_made_is_kept_until_a_source_or_an_output_changes(
    source: Head, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    prepared(out, [source])
    assert "skipped" in prepared(out, [source])[0]
    (out / "a_labels.nii.gz").write_bytes(b"spoilt")
    assert "skipped" not in prepared(out, [source])[0]
    write_volume(source.image, brain_in_head() + 1, HEAD_GRID.affine)
    assert "skipped" not in prepared(out, [source])[0]


def test_an_image_that_fails_does_not_stop_the_others(source: Head, tmp_path: Path) -> None:
    bad = tmp_path / "in" / "bad.nii.gz"
    bad.write_bytes(b"no image")
    news = prepared(tmp_path / "out", [Head(bad), source])
    assert "FAILED" in news[0]
    assert (tmp_path / "out" / "a.nii.gz").is_file()
    assert not list((tmp_path / "out").glob("bad*"))


def test_label_maps_and_names_must_fit() -> None:
    with pytest.raises(ConfigError, match="1 label maps for 2 images"):
        heads_of([Path("a.nii"), Path("b.nii")], [Path("c.nii")])
    with pytest.raises(ConfigError, match="2 images have this name"):
        heads_of([Path("x/a.nii"), Path("y/a.nii.gz")], [])


def _nifti(path: Path, array: np.ndarray, side_mm: float = 2.0) -> None:
    nib.save(nib.Nifti1Image(array, np.diag([side_mm] * 3 + [1])), path)


NOISE = np.random.default_rng(0).random((40, 40, 40)).astype(np.float32)


def _cut(path: Path) -> None:
    _nifti(path, NOISE)
    path.write_bytes(path.read_bytes()[:5000])


def _header_only(path: Path) -> None:
    _nifti(path, NOISE)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:348]))


BROKEN: dict[str, Callable[[Path], object]] = {
    "missing": lambda _: None,
    "text": lambda path: path.write_text("no image"),
    "cut": _cut,
    "header only": _header_only,
    "4-D": lambda path: _nifti(path, np.stack([NOISE] * 3, axis=-1)),
    "2-D": lambda path: _nifti(path, NOISE[:, :, 0]),
    "NaN": lambda path: _nifti(path, np.where(NOISE > 0.9, np.nan, NOISE)),
    "constant": lambda path: _nifti(path, np.ones_like(NOISE)),
    "small": lambda path: _nifti(path, NOISE, 0.5),
    "coarse": lambda path: _nifti(path, NOISE, 20.0),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_input_is_refused_in_one_line(kind: str, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "head.nii.gz"
    BROKEN[kind](path)

    ran = command("prepare", path, "--output", tmp_path / "out")

    assert ran.code == 1
    (line,) = ran.err.splitlines()
    assert line.startswith(f"[1/1] {path}: FAILED: ")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("kind", ["missing", "text", "small"])
def test_a_pair_with_a_broken_head_is_refused_in_one_line(
    kind: str, command: Command, tmp_path: Path
) -> None:
    path = tmp_path / "head.nii.gz"
    BROKEN[kind](path)

    ran = command("register-pair", path, tmp_path / "other.nii.gz", "--output", tmp_path / "out")

    assert ran.code == 2
    (line,) = ran.err.splitlines()
    assert line.startswith(f"error: {path}: ")


def test_a_field_between_prepared_heads_leads_from_head_to_head(tmp_path: Path) -> None:
    maps = moved(10, 5), moved(-8, 12)
    pair = NativePair.of(*(record_of(tmp_path, n, m) for n, m in zip("fm", maps, strict=True)))
    shift = np.zeros((*GRID.shape, 3), np.float32)
    shift[..., 1] = 4
    write_field(tmp_path / "disp.nii.gz", shift, np.eye(4))

    prepared_field = prepared_transform(tmp_path / "disp.nii.gz")
    chain = pair.transform(prepared_field)

    inside = LANDMARKS_MM / 2  # nothing is displaced beyond the grid
    lifted = np.c_[inside, np.ones(len(inside))]
    start, end = (lifted @ maps[0].T)[:, :3], ((lifted + np.array([0, 4, 0, 0])) @ maps[1].T)[:, :3]
    assert np.allclose(chain(start), end, atol=1e-3)


@pytest.mark.slow
def test_two_identical_heads_are_warped_onto_themselves(tmp_path: Path, command: Command) -> None:
    one, other = (record_of(tmp_path, name, TRUE) for name in "fm")
    write_field(tmp_path / "disp.nii.gz", np.zeros((*GRID.shape, 3), np.float32), GRID.affine)

    ran = command(
        "to-native", tmp_path / "disp.nii.gz", "--fixed", one, "--moving", other,
        "--output", tmp_path / "native",
    )  # fmt: skip

    assert ran.code == 0
    warped = read_image(tmp_path / "native" / "raw_m_space-raw_f.nii.gz")
    assert np.allclose(warped.array, brain_in_head(), atol=0.05)
    assert np.abs(read_field(tmp_path / "native" / "displacement_field.nii.gz")).max() < 1e-3
    both = [f"from-raw_{a}_to-raw_{b}_mode-image_xfm.nii.gz" for a, b in ("mf", "fm")]
    chain = TransformChain([read_transform(tmp_path / "native" / n, PairGrids()) for n in both])
    assert np.allclose(chain(LANDMARKS_MM), LANDMARKS_MM, atol=1e-3)


def test_fields_and_images_that_were_not_prepared_are_refused(tmp_path: Path) -> None:
    write_field(tmp_path / "disp.nii.gz", np.zeros((4, 4, 4, 3), np.float32), np.eye(4))
    with pytest.raises(FieldError, match="fields of prepared images"):
        prepared_transform(tmp_path / "disp.nii.gz")
    with pytest.raises(ImageError, match="regatta prepare writes"):
        NativePair.of(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz")
    path = record_of(tmp_path, "f", TRUE)
    (tmp_path / "raw_f.nii.gz").unlink()
    with pytest.raises(ImageError, match="not there any more"):
        NativePair.of(path, path)
    (tmp_path / "f.json").write_text(json.dumps({"regatta": "1"}))
    with pytest.raises(ImageError, match=r"f\.json"):
        read_record(path)
