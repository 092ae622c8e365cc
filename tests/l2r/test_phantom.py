"""The made-up challenge."""

import time
from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from l2r.dataset import read_pairs
from l2r.errors import OutputError
from l2r.formats.volumes import read_image, read_labels
from l2r.phantom import BRAIN, LANDMARKS, LARGEST_SHIFT, to_template, true_field, write_phantom
from l2r.submission import field_names
from l2r.task import load_task

SHAPE = (32, 40, 36)
LABELS = [structure.label for structure in BRAIN]


def volumes(folder: Path, kind: str) -> list[np.ndarray]:
    return [read_labels(path) for path in sorted((folder / kind).iterdir())]


def mean_dice(a: np.ndarray, b: np.ndarray) -> float:
    overlaps = [
        2 * ((a == label) & (b == label)).sum() / ((a == label).sum() + (b == label).sum())
        for label in LABELS
    ]
    return float(np.mean(overlaps))


def warp(moving: np.ndarray, vectors: np.ndarray, order: int) -> np.ndarray:
    places = np.indices(vectors.shape[:3]) + np.moveaxis(vectors, -1, 0)
    return map_coordinates(moving, places, order=order)


def test_it_is_laid_out_as_lumir_is(phantom: Path) -> None:
    brains = [f"PHANTOM_{number:04}_0000.nii.gz" for number in (1, 2, 3)]
    found = sorted(path.relative_to(phantom).as_posix() for path in phantom.rglob("*.*"))
    assert found == [
        "PHANTOM_dataset.json",
        *(f"{kind}Val/{brain}" for kind in ("images", "labels", "landmarks") for brain in brains),
        "phantom.toml",
    ]


def test_its_task_file_and_pair_list_work_together(phantom: Path) -> None:
    task = load_task(str(phantom / "phantom.toml"))
    assert (task.name, task.data.shape, task.container) == ("phantom", SHAPE, None)
    pairs = read_pairs(phantom / "PHANTOM_dataset.json", phantom)
    assert list(field_names(task.field, pairs)) == [
        "disp_0002_0001.nii.gz",
        "disp_0003_0002.nii.gz",
    ]
    assert task.evaluation["labels"] == [0, *sorted(LABELS)]
    assert task.evaluation["metrics"] == load_task("lumir24").evaluation["metrics"]


def test_each_image_is_a_brain_on_a_background_of_zeros(phantom: Path) -> None:
    for path, labels in zip(
        sorted((phantom / "imagesVal").iterdir()), volumes(phantom, "labelsVal"), strict=True
    ):
        assert nib.load(path).get_data_dtype() == np.uint8
        image = read_image(path)
        assert image.shape == labels.shape == SHAPE
        np.testing.assert_array_equal(image.array > 0, labels > 0)
        assert 0.2 < (labels > 0).mean() < 0.4
        brightness = [image.array[labels == label].mean() for label in (4, 3, 10, 2)]
        assert all(darker + 5 < lighter for darker, lighter in pairwise(brightness))


def test_every_structure_and_landmark_is_in_every_subject(phantom: Path) -> None:
    for labels in volumes(phantom, "labelsVal"):
        assert np.unique(labels).tolist() == [0, *sorted(LABELS)]
    for landmarks in volumes(phantom, "landmarksVal"):
        counts = np.bincount(landmarks.ravel(), minlength=len(LANDMARKS) + 1)
        assert len(counts) == len(LANDMARKS) + 1
        assert counts[1:].min() >= 20
        assert counts[1:].max() <= 100


@pytest.mark.parametrize("seed", range(3))
def test_subjects_overlap_but_not_well_and_the_right_field_mends_it(
    seed: int, tmp_path: Path
) -> None:
    write_phantom(tmp_path, subjects=2, seed=seed)
    moving, fixed = volumes(tmp_path, "labelsVal")
    field = true_field(2, 1, SHAPE, seed)
    assert 0.5 < mean_dice(fixed, moving) < 0.8
    assert mean_dice(fixed, warp(moving, field, 0)) > 0.88
    # No landmark may vanish in warping: its error would be no number.
    landmarks, _ = volumes(tmp_path, "landmarksVal")
    assert set(np.unique(warp(landmarks, field, 0))) == set(range(len(LANDMARKS) + 1))


def test_the_right_field_brings_the_images_together_within_their_noise(phantom: Path) -> None:
    moving, fixed = (
        read_image(path).array for path in sorted((phantom / "imagesVal").iterdir())[:2]
    )
    brain = fixed > 0
    before = abs(fixed - moving)[brain].mean()
    after = abs(fixed - warp(moving, true_field(2, 1, SHAPE), 1))[brain].mean()
    assert after < before / 3


def test_the_right_field_between_a_subject_and_itself_is_zero() -> None:
    np.testing.assert_allclose(true_field(2, 2, SHAPE), 0, atol=0.02)


def test_the_right_field_leads_to_where_the_same_place_is_shown() -> None:
    field, fixed, moving = true_field(3, 1, SHAPE), to_template(3, SHAPE), to_template(1, SHAPE)
    places = np.moveaxis(np.indices(SHAPE), 0, -1)
    there = np.stack([warp(part, field, 1) for part in np.moveaxis(moving, -1, 0)], axis=-1)
    inside = ((places + field >= 0) & (places + field <= np.array(SHAPE) - 1)).all(axis=-1)
    assert inside.mean() > 0.8
    np.testing.assert_allclose((field + there)[inside], fixed[inside], atol=1e-3)


@pytest.mark.parametrize("subject", [1, 2, 9999])
@pytest.mark.parametrize("shape", [SHAPE, (16, 16, 16)], ids=str)
def test_deformations_are_bounded_smooth_and_without_folds(
    subject: int, shape: tuple[int, int, int]
) -> None:
    field = to_template(subject, shape)
    assert field.dtype == np.float32
    assert (abs(field) <= LARGEST_SHIFT * np.array(shape)).all()
    assert abs(field).mean() > 0.01 * np.mean(shape)
    slopes = np.stack([np.stack(np.gradient(part), -1) for part in np.moveaxis(field, -1, 0)], -2)
    assert np.linalg.det(slopes + np.eye(3)).min() > 0.2


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_brains(
    phantom: Path, tmp_path: Path
) -> None:
    write_phantom(tmp_path / "same")
    assert content(tmp_path / "same") == content(phantom)
    write_phantom(tmp_path / "other", seed=1)
    same, other = content(tmp_path / "same"), content(tmp_path / "other")
    assert {name for name in same if same[name] == other[name]} == {
        "PHANTOM_dataset.json",
        "phantom.toml",
    }


def test_a_subject_does_not_depend_on_how_many_there_are(phantom: Path, tmp_path: Path) -> None:
    dataset = write_phantom(tmp_path, subjects=5)
    assert dataset == tmp_path / "PHANTOM_dataset.json"
    assert len(read_pairs(dataset, tmp_path)) == 4
    name = "imagesVal/PHANTOM_0003_0000.nii.gz"
    assert (tmp_path / name).read_bytes() == (phantom / name).read_bytes()


def test_it_can_be_written_again_and_in_another_shape(tmp_path: Path) -> None:
    write_phantom(tmp_path, subjects=2)
    write_phantom(tmp_path, subjects=2, shape=(16, 20, 24))
    assert load_task(str(tmp_path / "phantom.toml")).data.shape == (16, 20, 24)
    for labels in volumes(tmp_path, "labelsVal"):
        assert labels.shape == (16, 20, 24)
        assert set(LABELS) <= set(np.unique(labels))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/imagesVal: cannot be made: Not a directory"):
        write_phantom(tmp_path / "file")


def test_it_takes_less_than_a_second(tmp_path: Path) -> None:
    start = time.process_time()
    write_phantom(tmp_path)
    assert time.process_time() - start < 1
