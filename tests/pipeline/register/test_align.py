"""The affine map before the network: one field, one interpolation, on the fixed image's grid."""

import json
from pathlib import Path

import numpy as np
import pytest

from l2r.formats.fields import read_field
from l2r.formats.volumes import Image, read_image, write_volume
from l2r.pairs import Pair
from l2r.prepare import Loaded
from l2r.transforms.learn2reg import followed_by
from pipeline.register.align import PrepareAligned
from pipeline.register.registration import FIXED, MOVING, Registration
from pipeline.register.words import AffineMode
from tests.models.affine.heads import PLAIN, error_mm, moved, oblique, painted
from tests.pipeline.conftest import Command

TRUE = moved(20, 25, (1.1, 0.95, 1.05))
GRID = oblique(TRUE)
FIXED_IMAGE = Image(painted(PLAIN), PLAIN.affine)
MOVING_IMAGE = Image(painted(GRID, TRUE), GRID.affine)


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    """An affine map and nothing else."""
    path = tmp_path / "affine.toml"
    path.write_text('affine = "auto"\n')
    return path


def true_field() -> np.ndarray:
    """The field of the true map, in voxels of the moving image."""
    voxels = np.linalg.inv(GRID.affine) @ TRUE @ PLAIN.affine
    return followed_by(np.zeros((*PLAIN.shape, 3), np.float32), voxels)


@pytest.mark.slow
def test_the_field_on_the_fixed_grid_leads_to_voxels_of_the_moving_image_as_it_is_stored(
    run_file: Path,
) -> None:
    result = Registration.from_config(run_file, task="any", device="cpu")(FIXED_IMAGE, MOVING_IMAGE)

    brain = FIXED_IMAGE.array > 20
    missed_vox = np.linalg.norm(result.field - true_field(), axis=-1)[brain]
    assert result.field.shape == (*PLAIN.shape, 3)
    assert missed_vox.mean() < 0.4  # one millimetre
    # The warped image comes from the stored one in one interpolation.
    warped = np.asarray(result.warped.dataobj)
    assert np.corrcoef(warped[brain], FIXED_IMAGE.array[brain])[0, 1] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "status"), [("affine", "fallback"), ("auto", "done")])
def test_a_map_that_is_demanded_and_not_found_is_an_error_and_auto_goes_on(
    mode: AffineMode, status: str, command: Command, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1).normal(100, 30, PLAIN.shape).astype(np.float32)
    write_volume(tmp_path / "a.nii.gz", FIXED_IMAGE.array, PLAIN.affine)
    write_volume(tmp_path / "b.nii.gz", noise, PLAIN.affine)
    pairs = {"validation": [{"fixed": "a.nii.gz", "moving": "b.nii.gz"}]}
    (tmp_path / "list.json").write_text(json.dumps(pairs))
    (tmp_path / "none.toml").write_text("")

    ran = command(
        "run", "--task", "any", "--dataset", tmp_path / "list.json", "--device", "cpu",
        "--config", tmp_path / "none.toml", "--affine", mode, "--output", tmp_path / "out",
    )  # fmt: skip

    assert "no affine map was found" in ran.err
    assert ran.code == (mode == "affine")
    (record,) = json.loads((tmp_path / "out/manifest.json").read_text())["pairs"].values()
    assert record["status"] == status
    assert record["affine"] is None


@pytest.mark.slow
def test_images_that_are_aligned_are_left_as_they_are_by_auto(run_file: Path) -> None:
    registration = Registration.from_config(run_file, task="any", device="cpu")
    twin = Image(np.roll(FIXED_IMAGE.array, 0, 0) * 0.9, PLAIN.affine)

    prepared = registration.stages.prepare(Loaded(Pair(FIXED, MOVING), (FIXED_IMAGE, twin)))

    assert prepared.alignment is None
    assert not registration(FIXED_IMAGE, twin).field.any()


@pytest.mark.slow
def test_label_maps_come_along(run_file: Path) -> None:
    registration = Registration.from_config(run_file, task="any", device="cpu")
    prepare = registration.stages.prepare
    assert isinstance(prepare, PrepareAligned)
    labels = tuple((image.array > 60).astype(np.int16) for image in (FIXED_IMAGE, MOVING_IMAGE))
    loaded = Loaded(Pair(FIXED, MOVING), (FIXED_IMAGE, MOVING_IMAGE), (labels[0], labels[1]))

    prepared = prepare(loaded)

    assert prepared.alignment is not None
    assert error_mm(prepared.alignment.matrix, TRUE) < 1.0
    assert prepared.labels is not None
    one, other = (found > 0 for found in prepared.labels)
    assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.9


def test_a_field_followed_by_an_affine_map_is_one_field() -> None:
    affine = np.diag([2.0, 1.0, 0.5, 1.0])
    affine[:3, 3] = [1, 2, 3]
    field = np.random.default_rng(0).normal(size=(3, 4, 5, 3)).astype(np.float32)
    index = np.stack(np.indices((3, 4, 5)), axis=-1)
    expected = (index + field) * [2, 1, 0.5] + [1, 2, 3] - index
    assert np.allclose(followed_by(field, affine), expected, atol=1e-5)


@pytest.mark.slow
def test_a_run_writes_and_records_the_map(command: Command, tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii.gz", FIXED_IMAGE.array, PLAIN.affine)
    write_volume(tmp_path / "b.nii.gz", MOVING_IMAGE.array, GRID.affine)
    pairs = {"validation": [{"fixed": "a.nii.gz", "moving": "b.nii.gz"}]}
    (tmp_path / "list.json").write_text(json.dumps(pairs))
    (tmp_path / "none.toml").write_text("")

    ran = command(
        "run", "--task", "any", "--dataset", tmp_path / "list.json", "--device", "cpu",
        "--config", tmp_path / "none.toml", "--affine", "affine", "--output", tmp_path / "out",
    )  # fmt: skip

    assert ran.code == 0
    (name,) = (tmp_path / "out").glob("disp*.nii.gz")
    brain = read_image(tmp_path / "a.nii.gz").array > 20
    assert np.linalg.norm(read_field(name) - true_field(), axis=-1)[brain].mean() < 0.4
    (record,) = json.loads((tmp_path / "out/manifest.json").read_text())["pairs"].values()
    assert error_mm(np.array(record["affine"]["matrix"]), TRUE) < 1.0
    assert record["affine"]["quality"] > record["affine"]["quality_before"]
