"""The command `train-segmentation`: legs, weights, and what it refuses."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.models.segmentation.brains import two_halves
from tests.pipeline.conftest import Command

FILE = """
steps = {steps}
pool = 2
real = {real}

[network]
name = "segmentation"
widths = [4, 8]
"""


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    folder = tmp_path / "maps"
    folder.mkdir()
    nib.save(nib.Nifti1Image(two_halves(), np.eye(4)), folder / "m.nii.gz")
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a", "b"):
        brain = np.where(two_halves() > 0, 110, 0).astype(np.uint8)
        nib.save(nib.Nifti1Image(brain, np.eye(4)), folder / f"{name}.nii.gz")
    return folder


def write(path: Path, steps: int = 2, real: float = 0.0) -> Path:
    path.write_text(FILE.format(steps=steps, real=real))
    return path


def test_legs_end_with_weights_and_the_last_says_so(
    maps: Path, images: Path, tmp_path: Path, command: Command
) -> None:
    config, out = write(tmp_path / "s.toml", steps=3, real=0.5), tmp_path / "out"
    words = ("train-segmentation", config, "--maps", maps, "--data", images, "--output", out)
    first = command(*words, "--time-budget", "1", "--resume")
    assert first.code in {0, 1}, first.err  # three steps may take less than a second
    assert (out / "last.safetensors").is_file()
    last = command(*words, "--resume")
    assert last.code == 0, last.err
    again = command(*words)
    assert again.code == 2
    assert "add --resume" in again.err


def test_bad_requests_are_told_in_one_line(maps: Path, tmp_path: Path, command: Command) -> None:
    config = write(tmp_path / "s.toml", real=0.5)
    ran = command("train-segmentation", config, "--maps", maps, "--output", tmp_path / "out")
    assert ran.code == 2
    assert "give --data" in ran.err
    nib.save(nib.Nifti1Image(np.full((8, 8, 8), -1, np.int16), np.eye(4)), maps / "n.nii.gz")
    config = write(tmp_path / "s.toml")
    ran = command("train-segmentation", config, "--maps", maps, "--output", tmp_path / "out")
    assert ran.code == 2
    assert "n.nii.gz" in ran.err
    assert not (tmp_path / "out").exists()


def test_label_maps_of_the_images_teach_and_weights_begin_a_second_stage(
    maps: Path, images: Path, tmp_path: Path, command: Command
) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    for name in ("a", "b"):
        nib.save(nib.Nifti1Image(two_halves(), np.eye(4)), labels / f"{name}.nii.gz")
    config = write(tmp_path / "s.toml", steps=2)
    words = ("train-segmentation", config, "--maps", maps, "--data", images, "--labels", labels)
    first = command(*words, "--set", "real=1.0", "--output", tmp_path / "first")
    assert first.code == 0, first.err
    begun = tmp_path / "first/last.safetensors"
    changes = ("--set", "real=0.5", "--set", f"weights={begun}")
    second = command(*words, *changes, "--output", tmp_path / "second")
    assert second.code == 0, second.err
    kept = json.loads((tmp_path / "second/training.json").read_text())
    assert kept["weights"] == str(begun)


def test_a_label_map_that_lacks_or_does_not_fit_is_named(
    maps: Path, images: Path, tmp_path: Path, command: Command
) -> None:
    labels, config = tmp_path / "labels", write(tmp_path / "s.toml", real=0.5)
    labels.mkdir()
    words = ("train-segmentation", config, "--maps", maps, "--data", images, "--labels", labels)
    ran = command(*words, "--output", tmp_path / "out")
    assert ran.code == 2
    assert str(labels / "a.nii.gz") in ran.err
    nib.save(nib.Nifti1Image(two_halves(16), np.eye(4)), labels / "a.nii.gz")
    ran = command(*words, "--output", tmp_path / "out")
    assert ran.code == 2
    assert "(16, 16, 16), its image (32, 32, 32)" in ran.err
    assert not (tmp_path / "out").exists()


def test_label_maps_without_images_are_refused(
    maps: Path, tmp_path: Path, command: Command
) -> None:
    config = write(tmp_path / "s.toml")
    ran = command("train-segmentation", config, "--maps", maps, "--labels", maps)
    assert ran.code == 2
    assert "--data" in ran.err
