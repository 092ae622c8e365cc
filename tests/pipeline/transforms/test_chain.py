"""Transforms as words of the command line."""

from pathlib import Path

import numpy as np
import pytest

from l2r.errors import ImageError, TaskError, TransformError
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.table import write_transform
from l2r.formats.volumes import write_volume
from pipeline.transforms.chain import NamedTransform, read_chain, read_grids
from pipeline.transforms.words import PairFiles
from tests.l2r.transforms.making import FIXED, MOVING, bumps, inner_points, turn

POINTS = inner_points(FIXED)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.mat", NamedTransform(Path("a.mat"))),
        ("a.mat,inverse", NamedTransform(Path("a.mat"), inverse=True)),
        ("d/w.nii.gz,itk", NamedTransform(Path("d/w.nii.gz"), dialect="itk")),
        ("w.nii.gz,learn2reg,inverse", NamedTransform(Path("w.nii.gz"), True, "learn2reg")),
    ],
)
def test_words_are_read_in_either_order(text: str, expected: NamedTransform) -> None:
    assert NamedTransform.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.mat,inverted", "'inverted' is neither inverse nor one of itk"),
        ("a.mat,itk,fsl", "give inverse and the dialect once each"),
        ("a.mat,inverse,inverse", "give inverse and the dialect once each"),
    ],
)
def test_words_that_mean_nothing_are_refused(text: str, told: str) -> None:
    with pytest.raises(TransformError, match=told):
        NamedTransform.parse(text)


@pytest.mark.parametrize(
    ("name", "spaces"),
    [
        ("from-B_to-A_mode-image_xfm.mat", ("A", "B")),
        ("from-B_to-A_mode-image_xfm.mat,inverse", ("B", "A")),
        ("sub-1_from-T1w_to-MNI_xfm.h5", ("MNI", "T1w")),
        ("warp.nii.gz", None),
    ],
)
def test_names_of_bids_say_between_what_a_transform_leads(
    name: str, spaces: tuple[str, str] | None
) -> None:
    """Images are fetched from B to A, so places go from A to B."""
    assert NamedTransform.parse(name).spaces == spaces


def test_a_chain_is_read_in_the_order_of_its_words(tmp_path: Path) -> None:
    write_transform(tmp_path / "a.txt", [turn()], PairGrids())
    write_transform(tmp_path / "w.nii.gz", [bumps(FIXED)], PairGrids(FIXED, FIXED), "itk")
    texts = (f"{tmp_path / 'w.nii.gz'}", f"{tmp_path / 'a.txt'},inverse")
    chain = read_chain(texts, PairGrids(), FIXED)
    expected = turn().inverse()(bumps(FIXED)(POINTS))
    np.testing.assert_allclose(chain.transform(POINTS), expected, atol=1e-3)  # single precision


def test_a_field_that_counts_voxels_needs_the_moving_image_if_grids_differ(tmp_path: Path) -> None:
    path = tmp_path / "disp.nii.gz"
    write_transform(path, [bumps(FIXED)], PairGrids(FIXED, MOVING), "learn2reg")
    with pytest.raises(TransformError, match=r"give the moving image of the pair \(--moving\)"):
        read_chain([str(path)], PairGrids(), FIXED, [MOVING])
    found = read_chain([str(path)], PairGrids(moving=MOVING), FIXED, [MOVING]).transform
    np.testing.assert_allclose(found(POINTS), bumps(FIXED)(POINTS), atol=1e-3)


def test_a_field_without_a_header_needs_the_fixed_image(tmp_path: Path) -> None:
    path = tmp_path / "disp.npz"
    write_transform(path, [bumps(FIXED)], PairGrids(FIXED, FIXED), "learn2reg")
    with pytest.raises(TransformError, match=r"such files have no header; give the fixed image"):
        read_chain([str(path)], PairGrids(), FIXED, [FIXED])
    assert read_chain([str(path)], PairGrids(fixed=FIXED), FIXED, [FIXED]).parts


def test_grids_are_those_of_the_images_that_are_given(tmp_path: Path) -> None:
    write_volume(tmp_path / "m.nii.gz", np.zeros(MOVING.shape, np.uint8), MOVING.affine)
    grids = read_grids(PairFiles(None, tmp_path / "m.nii.gz", "oasis"))
    assert grids.fixed is None
    assert grids.moving is not None
    assert grids.moving.is_like(MOVING)
    assert grids.task is not None
    assert grids.task.name == "oasis"


def test_a_missing_image_or_task_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.nii: no such file"):
        read_grids(PairFiles(tmp_path / "gone.nii", None, None))
    with pytest.raises(TaskError, match="no task 'lumir99'"):
        read_grids(PairFiles(None, None, "lumir99"))
