import functools
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import pipeline.register.request
from l2r.errors import ConfigError, DatasetError, ImageError, OutputError
from l2r.grid import GridRule
from l2r.mounts import find_mounts
from l2r.prepare import PreparePair
from l2r.task import load_task
from pipeline.device import find_device
from pipeline.register.config import load_run
from pipeline.register.predict import field_to_torch, to_numpy, to_torch
from pipeline.register.request import CONFIGS, RunRequest, default_config, resolve
from pipeline.workdir import open_folder


def test_a_mounted_challenge_needs_no_arguments(
    phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(phantom, tmp_path / "input")
    shutil.copy(phantom / "PHANTOM_dataset.json", tmp_path / "LUMIR_dataset.json")
    here = functools.partial(find_mounts, root=tmp_path)
    monkeypatch.setattr(pipeline.register.request, "find_mounts", here)
    found = resolve(RunRequest())
    assert (found.task.name, found.folder) == ("lumir24", tmp_path / "output")
    assert list(found.pairs) == ["disp_0002_0001.nii.gz", "disp_0003_0002.nii.gz"]
    assert resolve(RunRequest(task="aseg")).task.name == "aseg"


def test_the_task_is_the_run_files_unless_it_is_named(phantom: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text('task = "lumir25"')
    dataset = phantom / "PHANTOM_dataset.json"
    assert resolve(RunRequest(config=config, dataset=dataset)).task.name == "lumir25"
    assert resolve(RunRequest(config=config, dataset=dataset, task="any")).task.name == "any"
    assert resolve(RunRequest(dataset=dataset)).folder == Path("output")


def test_values_of_the_command_line_go_along_with_the_job(phantom: Path) -> None:
    words = ("seed=3", "precision=bfloat16")
    job = resolve(RunRequest(dataset=phantom / "PHANTOM_dataset.json", overrides=words))
    config = load_run(job.config, job.overrides)
    assert (config.seed, config.precision) == (3, "bfloat16")


def test_a_folder_without_any_of_the_images_is_refused(phantom: Path, tmp_path: Path) -> None:
    request = RunRequest(dataset=phantom / "PHANTOM_dataset.json", input=tmp_path)
    with pytest.raises(DatasetError, match="none of the images of its 2 pairs"):
        resolve(request)


@pytest.mark.parametrize(
    ("task", "network"), [("lumir24", "pyramid"), ("lumir25", "identity"), ("nlst", "identity")]
)
def test_the_default_run_file_refines_what_the_trained_network_says_if_it_knows_such_images(
    task: str, network: str
) -> None:
    config = load_run(default_config(load_task(task)))
    assert config.model.name == network
    assert [part.name for part in config.refine] == ["instance_optimisation"]


def test_every_run_file_of_the_project_can_be_read() -> None:
    files = set(CONFIGS.rglob("*.toml")) - set((CONFIGS / "train").rglob("*.toml"))
    assert files
    for path in files:
        config = load_run(path)
        assert config.refine or config.model.weights  # something that moves a voxel


def test_unfinished_files_of_a_killed_run_are_removed_and_others_kept(tmp_path: Path) -> None:
    (tmp_path / ".disp_0001_0002.nii.gz.0a1b.part").write_bytes(b"half")
    (tmp_path / "notes.part").write_bytes(b"mine")
    assert open_folder(tmp_path) == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["notes.part"]


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be used"):
        open_folder(tmp_path / "file" / "out")


def test_images_become_normalised_volumes_on_a_grid_that_fits(phantom: Path) -> None:
    request = RunRequest(
        dataset=phantom / "PHANTOM_dataset.json", task=str(phantom / "phantom.toml")
    )
    found = resolve(request)
    prepared = PreparePair(found.task, GridRule(32))(next(iter(found.pairs.values())))
    assert prepared.fixed.shape == prepared.moving.shape == (32, 64, 64)
    assert 0.3 < prepared.fixed.max() <= 1.0
    assert (prepared.grid.shape, prepared.grid.box.start) == ((32, 40, 36), (0, -12, -14))
    inside = prepared.fixed[:, 12:52, 14:50]
    assert np.count_nonzero(inside) == np.count_nonzero(prepared.fixed) > 0


def test_a_shape_that_the_task_does_not_have_is_refused(phantom: Path) -> None:
    request = RunRequest(dataset=phantom / "PHANTOM_dataset.json", task="lumir24")
    pair = next(iter(resolve(request).pairs.values()))
    with pytest.raises(ImageError, match=r"shape \(32, 40, 36\).*\(160, 224, 192\).*--task any"):
        PreparePair(load_task("lumir24"), GridRule(1))(pair)


def test_headers_that_disagree_are_told_and_ignored(phantom: Path, tmp_path: Path) -> None:
    import nibabel as nib  # noqa: PLC0415

    shutil.copytree(phantom / "imagesVal", tmp_path / "imagesVal")
    moving = tmp_path / "imagesVal/PHANTOM_0001_0000.nii.gz"
    array = np.asarray(nib.load(moving).dataobj)
    nib.save(nib.Nifti1Image(array, np.diag([-1.0, 1, 1, 1])), moving)
    request = RunRequest(
        dataset=phantom / "PHANTOM_dataset.json",
        task=str(phantom / "phantom.toml"),
        input=tmp_path,
    )
    found = resolve(request)
    prepared = PreparePair(found.task, GridRule(1))(found.pairs["disp_0002_0001.nii.gz"])
    assert "LAS" in prepared.warnings[0]
    np.testing.assert_array_equal(prepared.moving, array / np.float32(255))


def test_arrays_go_to_torch_and_back_unchanged() -> None:
    vectors = np.random.default_rng(0).random((3, 4, 5, 3), np.float32)
    field = field_to_torch(vectors, torch.device("cpu"))
    assert field.shape == (1, 3, 3, 4, 5)
    assert float(field[0, 2, 1, 3, 4]) == vectors[1, 3, 4, 2]
    assert np.array_equal(to_numpy(field), vectors)
    assert to_torch(vectors[..., 0].copy(), torch.device("cpu")).shape == (1, 1, 3, 4, 5)


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["tpu", "cuda:99", "", "meta"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="--device"):
        find_device(name)
