"""Every example runs, as a user would run it."""

import runpy
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def phantom_paths(phantom: Path) -> dict[str, str]:
    return {
        "fixed": str(phantom / "imagesVal/PHANTOM_0002_0000.nii.gz"),
        "moving": str(phantom / "imagesVal/PHANTOM_0001_0000.nii.gz"),
        "labels": str(phantom / "labelsVal/PHANTOM_0001_0000.nii.gz"),
    }


def example(name: str) -> dict[str, object]:
    return runpy.run_path(str(EXAMPLES / name))


def test_every_script_is_listed_and_tested() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    listed = (EXAMPLES / "README.md").read_text()
    tested = Path(__file__).read_text()
    assert all(name in listed and f'"{name}"' in tested for name in scripts)


def test_two_images_are_registered(
    phantom_paths: dict[str, str], quick: Path, tmp_path: Path
) -> None:
    output = tmp_path / "warped.nii.gz"
    call = example("register_in_memory.py")["main"]
    call(phantom_paths["fixed"], phantom_paths["moving"], str(output), str(quick))
    assert nib.load(output).shape == nib.load(phantom_paths["fixed"]).shape


def test_many_pairs_share_a_network(
    phantom_paths: dict[str, str], quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moving = [phantom_paths["moving"]] * 2
    example("many_pairs.py")["main"](phantom_paths["fixed"], *moving, config=str(quick))
    first, second = capsys.readouterr().out.splitlines()
    assert "steps [12, 8]" in first
    assert first.split("voxels")[0] == second.split("voxels")[0]


def test_labels_and_points_follow(
    phantom_paths: dict[str, str],
    quick: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = str(tmp_path / "labels.nii.gz")
    example("warp_labels_and_points.py")["main"](*phantom_paths.values(), output, str(quick))
    assert set(np.unique(nib.load(output).dataobj)) <= set(
        np.unique(nib.load(phantom_paths["labels"]).dataobj)
    )
    assert "the inverse leads to" in capsys.readouterr().out
