"""The command `segment`, with a network whose weights are random."""

import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from safetensors.torch import save_file

from models.segmentation.network import SegmentationNetworkConfig
from models.segmentation.structures import CLASSES, STRUCTURES
from tests.pipeline.conftest import Command

UPRIGHT = np.eye(4)
OBLIQUE = np.array([[-1.2, 0.1, 0, 20], [0.1, 1.5, 0, -9], [0, 0, 0.8, 3], [0, 0, 0, 1.0]])


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "segmentation.safetensors"
    save_file(SegmentationNetworkConfig().build().state_dict(), path)
    return path


def brain(path: Path, affine: np.ndarray = UPRIGHT, shape: tuple[int, ...] = (20, 18, 26)) -> Path:
    path.parent.mkdir(exist_ok=True)
    values = np.random.default_rng(0).integers(60, 130, shape)
    values[:4] = 0
    nib.save(nib.Nifti1Image(values.astype(np.uint8), affine), path)
    return path


@pytest.mark.parametrize("affine", [np.eye(4), OBLIQUE])
def test_label_maps_lie_on_the_grid_of_their_image(
    affine: np.ndarray, weights: Path, tmp_path: Path, command: Command
) -> None:
    image = brain(tmp_path / "in" / "a.nii.gz", affine)
    ran = command("segment", image, "--output", tmp_path / "out", "--weights", weights)
    assert ran.code == 0, ran.err
    assert "1 of 1 segmented" in ran.out
    found = nib.load(tmp_path / "out" / "a.nii.gz")
    assert found.shape == (20, 18, 26)
    np.testing.assert_allclose(found.affine, affine, atol=1e-5)  # headers are single precision
    labels = np.asarray(found.dataobj)
    assert set(np.unique(labels)) <= set(CLASSES)
    with (tmp_path / "out" / "volumes.csv").open() as file:
        (row,) = csv.DictReader(file)
    voxel = abs(np.linalg.det(affine[:3, :3]))
    for label in STRUCTURES:
        expected = voxel * np.count_nonzero(labels == label)
        assert float(row[str(label)]) == pytest.approx(expected, abs=0.06)  # one decimal
    with PillowImage.open(tmp_path / "out" / "a.png") as picture:
        assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 10


def test_one_bad_image_does_not_stop_the_others(
    weights: Path, tmp_path: Path, command: Command
) -> None:
    good = brain(tmp_path / "in" / "a.nii.gz")
    (tmp_path / "in" / "b.nii.gz").write_bytes(b"no image")
    bad = tmp_path / "in" / "b.nii.gz"
    ran = command("segment", bad, good, "--output", tmp_path / "out", "--weights", weights)
    assert ran.code == 1
    assert "1 of 2 segmented" in ran.out
    assert "b: " in ran.err
    assert (tmp_path / "out" / "a.nii.gz").is_file()
    assert not (tmp_path / "out" / "b.nii.gz").exists()


def test_a_slice_is_refused(weights: Path, tmp_path: Path, command: Command) -> None:
    whole = nib.load(brain(tmp_path / "in" / "a.nii.gz"))
    slice_ = tmp_path / "in" / "b.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(whole.dataobj)[:, :, 8:9], whole.affine), slice_)
    ran = command("segment", slice_, "--output", tmp_path / "out", "--weights", weights)
    assert ran.code == 1
    assert "b.nii.gz: is one slice" in ran.err
    assert not (tmp_path / "out" / "b.nii.gz").exists()


def test_requests_that_would_lose_something_are_refused(
    weights: Path, tmp_path: Path, command: Command
) -> None:
    first, second = brain(tmp_path / "x" / "a.nii.gz"), brain(tmp_path / "y" / "a.nii.gz")
    ran = command("segment", first, second, "--output", tmp_path / "out", "--weights", weights)
    assert ran.code == 2
    assert "has the name of" in ran.err
    ran = command("segment", first, "--output", tmp_path / "x", "--weights", weights)
    assert ran.code == 2
    assert "is the folder of a.nii.gz" in ran.err
    assert not (tmp_path / "out").exists()


def test_weights_of_a_registration_network_are_refused(tmp_path: Path, command: Command) -> None:
    image = brain(tmp_path / "in" / "a.nii.gz")
    ran = command("segment", image, "--output", tmp_path / "out", "--weights", "t1_brain")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "t1_brain" in ran.err
