"""The table of formats of transforms: which one a file is of, by its name and its header."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from l2r.errors import TransformError
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.itk_affine import ItkAffine
from l2r.formats.transforms.itk_field import ItkField
from l2r.formats.transforms.learn2reg import Learn2RegField
from l2r.formats.transforms.nitransforms import X5, FslMatrix, Lta
from l2r.formats.transforms.simpleitk import ItkComposite, ItkImage
from l2r.formats.transforms.table import (
    DIALECTS,
    TRANSFORM_FORMATS,
    transform_format,
    write_transform,
)
from l2r.formats.volumes import write_volume
from l2r.transforms.base import AffineTransform
from tests.l2r.transforms.making import FIXED, bumps, turn


def nifti(path: Path, shape: tuple[int, ...], intent: int) -> Path:
    """A file of zeros with a shape and a meaning."""
    image = nib.Nifti1Image(np.zeros(shape, np.float32), np.eye(4))
    image.header["intent_code"] = intent
    nib.save(image, path)
    return path


def test_every_dialect_is_a_word_once() -> None:
    assert len(set(DIALECTS)) == len(DIALECTS)
    assert {kind.dialect for kind in TRANSFORM_FORMATS} == set(DIALECTS)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.txt", ItkAffine),
        ("a.tfm", ItkAffine),
        ("a.nrrd", ItkImage),
        ("a.h5", ItkComposite),
        ("a.x5", X5),
        ("a.lta", Lta),
        ("a.npz", Learn2RegField),
    ],
)
def test_names_that_one_format_has_decide(name: str, kind: type, tmp_path: Path) -> None:
    assert isinstance(transform_format(tmp_path / name), kind)


@pytest.mark.parametrize(
    ("shape", "intent", "kind"),
    [
        ((4, 5, 6, 1, 3), 1007, ItkField),
        ((4, 5, 6, 3), 0, Learn2RegField),
        ((4, 5, 6, 3), 1007, Learn2RegField),
        ((3, 4, 5, 6), 0, Learn2RegField),
    ],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_the_header_of_a_nifti_decides(
    shape: tuple[int, ...], intent: int, kind: type, suffix: str, tmp_path: Path
) -> None:
    assert isinstance(transform_format(nifti(tmp_path / f"a{suffix}", shape, intent)), kind)


def test_five_axes_without_the_intent_are_refused_unless_a_word_is_given(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", (4, 5, 6, 1, 3), 0)
    with pytest.raises(TransformError, match=r"a\.nii: intent code 0, but .* have 1007, vector"):
        transform_format(path)
    assert isinstance(transform_format(path, "itk"), ItkField)


@pytest.mark.parametrize("intent", [2006, 2007, 2008, 2009])
def test_a_warp_of_fsl_is_refused_with_a_way_out(intent: int, tmp_path: Path) -> None:
    path = nifti(tmp_path / "warp.nii.gz", (4, 5, 6, 3), intent)
    with pytest.raises(TransformError, match=f"warp of FSL by its intent code {intent}; convert"):
        transform_format(path)


def test_channels_of_a_metaimage_decide(tmp_path: Path) -> None:
    pytest.importorskip("SimpleITK", reason="the extra `transforms` is not installed")
    write_transform(tmp_path / "itk.mha", [bumps(FIXED)], PairGrids(FIXED, FIXED))
    write_transform(tmp_path / "own.mha", [bumps(FIXED)], PairGrids(FIXED, FIXED), "learn2reg")
    assert isinstance(transform_format(tmp_path / "itk.mha"), ItkImage)
    assert isinstance(transform_format(tmp_path / "own.mha"), Learn2RegField)


def test_text_in_a_mat_file_is_fsl_and_numbers_are_itk(tmp_path: Path) -> None:
    (tmp_path / "flirt.mat").write_text("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    write_transform(tmp_path / "ants.mat", [turn()], PairGrids())
    # Doubles whose bytes are all ASCII: 2.0 and 3.0 are 40 00.. and 40 08..
    ascii_only = AffineTransform(np.diag([2.0, 3.0, 2.0, 1.0]))
    write_transform(tmp_path / "whole.mat", [ascii_only], PairGrids())
    assert isinstance(transform_format(tmp_path / "flirt.mat"), FslMatrix)
    assert isinstance(transform_format(tmp_path / "ants.mat"), ItkAffine)
    assert isinstance(transform_format(tmp_path / "whole.mat"), ItkAffine)


def test_a_word_that_no_file_of_the_name_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TransformError, match=r"a\.txt: files of this name are of itk, not of lta"):
        transform_format(tmp_path / "a.txt", "lta")


def test_a_name_of_no_format_is_refused_with_all_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(TransformError, match=r"warp\.xfm: no transform by its name; known are"):
        transform_format(tmp_path / "warp.xfm")


def test_a_missing_nifti_is_named(tmp_path: Path) -> None:
    with pytest.raises(TransformError, match=r"gone\.nii\.gz: no such file"):
        transform_format(tmp_path / "gone.nii.gz")


@pytest.mark.parametrize("name", ["a.txt", "a.mat"])
def test_a_field_does_not_become_a_matrix_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(TransformError, match="hold a matrix, and this is a displacement field"):
        write_transform(tmp_path / name, [turn(), bumps(FIXED)], PairGrids())
    assert not list(tmp_path.iterdir())


def test_a_matrix_alone_has_no_grid_for_a_field(tmp_path: Path) -> None:
    with pytest.raises(TransformError, match="a field needs a grid; give the fixed image"):
        write_transform(tmp_path / "a.nii.gz", [turn()], PairGrids())
    assert not list(tmp_path.iterdir())


def test_an_image_is_no_field_of_itk(tmp_path: Path) -> None:
    write_volume(tmp_path / "image.nii.gz", np.zeros((4, 5, 6), np.float32))
    with pytest.raises(TransformError, match=r"shape \(4, 5, 6\), but ITK's .* \(x, y, z, 1, 3\)"):
        ItkField().read(tmp_path / "image.nii.gz", PairGrids())
