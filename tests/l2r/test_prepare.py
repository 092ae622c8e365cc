"""Images of any shape and spacing on the grid that a network works on."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from l2r.dataset import read_pairs
from l2r.errors import ImageError
from l2r.grid import GridRule
from l2r.pairs import Pair
from l2r.prepare import PreparePair
from l2r.task import Task, load_task

SHAPE = (32, 40, 36)


@pytest.fixture
def task(phantom: Path) -> Task:
    return load_task(str(phantom / "phantom.toml"))


@pytest.fixture
def pair(phantom: Path, tmp_path: Path) -> Pair:
    """Copies of two brains that a test may change."""
    (tmp_path / "imagesVal").mkdir()
    for path in (phantom / "imagesVal").iterdir():
        (tmp_path / "imagesVal" / path.name).write_bytes(path.read_bytes())
    return read_pairs(phantom / "PHANTOM_dataset.json", tmp_path, "validation")[0]


def set_spacing(path: Path, *spacing_mm: float) -> None:
    nib.save(nib.Nifti1Image(nib.load(path).get_fdata(), np.diag([*spacing_mm, 1])), path)


def test_voxels_are_taken_as_stored_unless_a_size_is_asked_for(task: Task, pair: Pair) -> None:
    set_spacing(pair.fixed.path, 1, 2, 0.5)
    prepared = PreparePair(task, GridRule())(pair)
    assert prepared.fixed.shape == SHAPE


def test_images_are_resampled_to_the_voxels_that_are_asked_for(task: Task, pair: Pair) -> None:
    for scan in (pair.fixed, pair.moving):
        set_spacing(scan.path, 1, 2, 0.5)
    prepared = PreparePair(task, GridRule(16), voxel_mm=1.0)(pair)
    assert prepared.grid.scaled == (32, 80, 18)
    assert prepared.fixed.shape == prepared.moving.shape == (32, 80, 32)
    step = np.broadcast_to(np.float32([1, 1, 1]), (*prepared.fixed.shape, 3)).copy()
    np.testing.assert_allclose(prepared.grid.place(step)[5, 5, 5], [1, 0.5, 2])
    assert prepared.grid.place(step).shape == (*SHAPE, 3)


def test_the_same_tissue_is_found_at_any_voxel_size(task: Task, pair: Pair) -> None:
    stored = PreparePair(task, GridRule())(pair)
    finer = PreparePair(task, GridRule(), voxel_mm=0.5)(pair)
    mean = finer.fixed.reshape(32, 2, 40, 2, 36, 2).mean(axis=(1, 3, 5))
    assert np.abs(mean - stored.fixed).mean() < 0.02
    assert stored.fixed.mean() == pytest.approx(finer.fixed.mean(), rel=0.01)


def test_images_of_unlike_spacing_are_refused(task: Task, pair: Pair) -> None:
    set_spacing(pair.moving.path, 1, 1, 1.5)
    with pytest.raises(ImageError, match=r"0001.*1 x 1 x 1.5 mm.*fixed image have 1 x 1 x 1;"):
        PreparePair(task, GridRule(), voxel_mm=1.0)(pair)


@pytest.mark.parametrize("spacing_mm", [0.001, 1000])
def test_a_header_without_sense_is_refused(task: Task, pair: Pair, spacing_mm: float) -> None:
    set_spacing(pair.fixed.path, 1, 1, spacing_mm)
    with pytest.raises(ImageError, match="by the header, 1 mm are asked for; correct the header"):
        PreparePair(task, GridRule(), voxel_mm=1.0)(pair)


def test_a_network_of_one_grid_gets_background_cropped_and_padded(task: Task, pair: Pair) -> None:
    prepared = PreparePair(task, GridRule(exactly=(64, 36, 36)))(pair)
    assert prepared.fixed.shape == (64, 36, 36)
    assert prepared.grid.box.start[0] == -16


def set_fringe(pair: Pair, voxels: int) -> None:
    """34,560 voxels of tissue, and so many beyond them at either end of the first axis."""
    array = np.zeros(SHAPE)
    array[4:28] = 90
    array[0, 3, :voxels] = array[31, 3, :voxels] = 99
    for scan in (pair.fixed, pair.moving):
        nib.save(nib.Nifti1Image(array, np.eye(4)), scan.path)


def test_a_fringe_that_is_cropped_off_is_told(task: Task, pair: Pair) -> None:
    set_fringe(pair, 17)
    prepared = PreparePair(task, GridRule(exactly=(30, 40, 36)))(pair)
    assert [text.split("; ")[-1] for text in prepared.warnings] == ["they are ignored"] * 2
    assert "and 34 voxels beyond that are not background" in prepared.warnings[0]


def test_more_than_a_fringe_is_not_cropped_off(task: Task, pair: Pair) -> None:
    set_fringe(pair, 18)
    with pytest.raises(ImageError, match="and 36 voxels beyond that are not background; crop"):
        PreparePair(task, GridRule(exactly=(30, 40, 36)))(pair)


def test_air_of_a_ct_is_background_that_may_be_cropped_off(pair: Pair) -> None:
    array = np.full(SHAPE, -1000.0)
    array[4:28, 5:35, 5:30] = np.random.default_rng(0).integers(-100, 800, (24, 30, 25))
    for scan in (pair.fixed, pair.moving):
        nib.save(nib.Nifti1Image(array, np.eye(4)), scan.path)
    prepared = PreparePair(load_task("any"), GridRule(exactly=(24, 40, 36)))(pair)
    assert prepared.warnings == ()
    assert (prepared.fixed[:, 10, 10] > 0).all()


def test_a_network_of_one_grid_refuses_to_cut_tissue_off(task: Task, pair: Pair) -> None:
    with pytest.raises(ImageError, match=r"works on \(16, 64, 64\) only, and \d+ voxels beyond"):
        PreparePair(task, GridRule(exactly=(16, 64, 64)))(pair)


def rotated(degrees: float) -> np.ndarray:
    """About the third axis."""
    angle = np.deg2rad(degrees)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return affine


def shifted(*origin_mm: float) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, 3] = origin_mm
    return affine


def headers_of(pair: Pair, fixed: np.ndarray, moving: np.ndarray, task: Task) -> list[str]:
    """The warnings about these headers; the arrays stay as they are."""
    for scan, affine in ((pair.fixed, fixed), (pair.moving, moving)):
        nib.save(nib.Nifti1Image(nib.load(scan.path).get_fdata(), affine), scan.path)
    return list(PreparePair(task, GridRule())(pair).warnings)


@pytest.mark.parametrize(
    ("moving", "found"),
    [
        (shifted(3, 0, 4), "their origins are 5 mm apart"),
        (shifted(0, 0, -0.6), "their origins are 0.6 mm apart"),
        (np.diag([1, 1, 1.5, 1]), "fixed has voxels of 1 x 1 x 1 mm, moving of 1 x 1 x 1.5 mm"),
        (rotated(2.5), "their axes are turned against each other"),
        (rotated(-30), "their axes are turned against each other"),
        (np.diag([-1, 1, 1, 1]), "fixed is RAS, moving is LAS"),
        (
            shifted(0, 9, 0) @ np.diag([2, 2, 2, 1]),
            "fixed has voxels of 1 x 1 x 1 mm, moving of 2 x 2 x 2 mm; "
            "their origins are 9 mm apart",
        ),
    ],
    ids=["origin", "origin a little", "spacing", "oblique a little", "oblique", "axes", "two"],
)
def test_headers_that_disagree_are_warned_about_in_one_line(
    task: Task, pair: Pair, moving: np.ndarray, found: str
) -> None:
    (warning,) = headers_of(pair, np.eye(4), moving, task)
    ending = "; the arrays are taken as stored, as the scorers take them"
    assert warning == f"headers disagree: {found}{ending}"


@pytest.mark.parametrize(
    ("fixed", "moving"),
    [
        (np.eye(4), np.eye(4)),
        (np.eye(4), shifted(0.4, 0, 0)),
        (np.eye(4), np.diag([1.005, 1, 1, 1])),
        (np.eye(4), rotated(1.5)),
        (rotated(30), rotated(30)),
        (np.diag([-2, -2, 3, 1]), np.diag([-2, -2, 3, 1])),
    ],
    ids=["the same", "half a voxel", "rounded", "rounded turn", "both oblique", "both LPS"],
)
def test_headers_that_agree_are_not_spoken_of(
    task: Task, pair: Pair, fixed: np.ndarray, moving: np.ndarray
) -> None:
    assert headers_of(pair, fixed, moving, task) == []


def test_unlike_headers_change_no_voxel(task: Task, pair: Pair) -> None:
    before = PreparePair(task, GridRule())(pair)
    headers_of(pair, rotated(30), shifted(100, 0, 0) @ np.diag([-1, 2, 3, 1]), task)
    after = PreparePair(task, GridRule())(pair)
    assert np.array_equal(before.fixed, after.fixed)
    assert np.array_equal(before.moving, after.moving)


@pytest.mark.parametrize("wrong", ["fixed", "moving"])
def test_of_two_images_only_the_one_on_another_scale_is_rescaled_and_named(
    pair: Pair, wrong: str
) -> None:
    task = load_task("any").model_copy(update={"preprocess": load_task("lumir24").preprocess})
    before = PreparePair(task, GridRule())(pair)
    assert before.warnings == ()
    scan = getattr(pair, wrong)
    nib.save(nib.Nifti1Image(nib.load(scan.path).get_fdata() * 16, np.eye(4)), scan.path)
    after = PreparePair(task, GridRule())(pair)
    (warning,) = after.warnings
    assert warning.startswith(f"{scan.path}: intensities are on another scale than the task's")
    other = "moving" if wrong == "fixed" else "fixed"
    assert np.array_equal(getattr(after, other), getattr(before, other))
    rescaled, right = getattr(after, wrong), getattr(before, wrong)
    assert np.quantile(rescaled[right > 0], 0.99) == pytest.approx(120 / 255, rel=0.02)
    assert np.corrcoef(rescaled.ravel(), right.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("inverted", ["fixed", "moving"])
def test_one_inverted_image_is_refused_where_a_task_is_about_one_contrast(
    task: Task, pair: Pair, inverted: str
) -> None:
    brains = task.model_copy(
        update={"data": load_task("aseg").data.model_copy(update={"shape": None})}
    )
    PreparePair(brains, GridRule())(pair)  # as they are
    scan = getattr(pair, inverted)
    array = nib.load(scan.path).get_fdata()
    negative = np.where(array > 0, array.max() + 1 - array, 0)
    nib.save(nib.Nifti1Image(negative, np.eye(4)), scan.path)
    with pytest.raises(ImageError, match=r"bright in one is dark in the other \(correlation -0\."):
        PreparePair(brains, GridRule())(pair)
    PreparePair(task, GridRule())(pair)  # a task of any contrasts


@pytest.fixture
def labelled(phantom: Path, pair: Pair) -> Pair:
    """With label maps beside the images."""
    folder = pair.fixed.labels.parent
    folder.mkdir()
    for path in (phantom / "labelsVal").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return pair


def test_label_maps_come_along_on_the_working_grid(task: Task, labelled: Pair) -> None:
    prepared = PreparePair(task, GridRule(16), labels=True)(labelled)
    for found, scan in zip(prepared.labels, (labelled.fixed, labelled.moving), strict=True):
        stored = nib.load(scan.labels).get_fdata()
        assert found.shape == prepared.fixed.shape == (32, 48, 48)
        assert set(np.unique(found)) == set(np.unique(stored))
        assert found.sum() == stored.sum()
    assert PreparePair(task, GridRule(16))(labelled).labels is None


def test_a_missing_or_misshapen_label_map_is_named(task: Task, labelled: Pair) -> None:
    path = labelled.moving.labels
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.eye(4)), path)
    with pytest.raises(ImageError, match=rf"{path.name}: shape \(4, 5, 6\), but its image has"):
        PreparePair(task, GridRule(), labels=True)(labelled)
    path.unlink()
    with pytest.raises(ImageError, match=f"{path.name}: no such file"):
        PreparePair(task, GridRule(), labels=True)(labelled)
