"""One job of an algorithm on grand-challenge.org, under a made-up root."""

import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

import pipeline.register.request
from eval.scoring import score_submission
from l2r.dataset import read_pairs
from l2r.formats.fields import read_field, write_field
from l2r.formats.volumes import read_image
from l2r.mounts import find_mounts
from l2r.submission import field_name, open_submission
from l2r.task import load_task
from pipeline.register.request import CONFIGS, RunRequest, resolve
from tests.pipeline.conftest import Command

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "sample"
FIELD = Path("output/images/displacement-field/output.mha")
HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = -10 20 30
ElementSpacing = 1 1 2
DimSize = {} {} {}
ElementType = MET_SHORT
ElementDataFile = LOCAL
"""


@pytest.fixture
def root(phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the platform mounts for a pair of the phantom; the image's own `/` stays out of it."""
    place = tmp_path / "root"
    (place / "output").mkdir(parents=True)
    (place / "opt/ml/model").mkdir(parents=True)
    put(place, phantom / "imagesVal/PHANTOM_0002_0000.nii.gz", "fixed-image")
    put(place, phantom / "imagesVal/PHANTOM_0001_0000.nii.gz", "moving-image")
    monkeypatch.setattr(
        pipeline.register.request, "find_mounts", functools.partial(find_mounts, root=place)
    )
    return place


def put(root: Path, source: Path, slug: str) -> None:
    """An image as `.mha` in its socket's folder, and its socket in the list."""
    array = read_image(source).array
    place = root / "input/images" / slug / "0f6c2f7e.mha"
    place.parent.mkdir(parents=True)
    place.write_bytes(HEADER.format(*array.shape).encode() + array.astype("<i2").tobytes(order="F"))
    listed = root / "input/inputs.json"
    values = json.loads(listed.read_text()) if listed.exists() else []
    socket = {"slug": slug, "relative_path": f"images/{slug}", "super_kind": "Image"}
    values.append({"socket": socket, "image": {"name": source.name}})
    listed.write_text(json.dumps(values))


def test_a_job_is_registered_without_any_arguments(
    command: Command, root: Path, quick: Path, phantom: Path
) -> None:
    ran = command("run", "--config", quick, "--device", "cpu")
    assert ran.code == 0, ran.err
    assert [path for path in (root / "output").rglob("*") if path.is_file()] == [root / FIELD]
    field = read_field(root / FIELD)
    assert field.shape == (32, 40, 36, 3)
    head = (root / FIELD).read_bytes()[:600]
    assert b"Offset = -10 20 30 0\n" in head  # over the fixed image, in a viewer
    assert b"ElementSpacing = 1 1 2 1\n" in head
    assert b"DimSize = 32 40 36 3\n" in head
    fixed, moving = (
        read_image(phantom / f"imagesVal/PHANTOM_000{n}_0000.nii.gz").array for n in (2, 1)
    )
    places = np.moveaxis(np.indices(fixed.shape), 0, -1) + field
    warped = map_coordinates(moving, np.moveaxis(places, -1, 0), order=1)
    assert np.abs(warped - fixed).mean() < 0.7 * np.abs(moving - fixed).mean()


def test_it_is_the_field_that_a_list_of_nifti_images_gives(
    command: Command, root: Path, quick: Path, phantom: Path, tmp_path: Path
) -> None:
    listed = ("--dataset", phantom / "PHANTOM_dataset.json", "--output", tmp_path / "out")
    options = ("--config", quick, "--device", "cpu")
    assert command("run", *options).code == 0
    assert command("run", *options, *listed, "--task", "any", "--limit", "1").code == 0
    (path,) = (tmp_path / "out").glob("disp_*")
    np.testing.assert_array_equal(read_field(root / FIELD), read_field(path))


def test_a_file_socket_gets_a_nifti_file(
    command: Command, root: Path, quick: Path, tmp_path: Path
) -> None:
    task = tmp_path / "mine.toml"
    task.write_text(MINE)
    options = ("--config", quick, "--device", "cpu")
    ran = command("run", *options, "--task", task)
    assert ran.code == 0, ran.err
    written = [path for path in (root / "output").rglob("*") if path.is_file()]
    assert written == [root / "output/fields/disp.nii.gz"]
    swapped = read_field(written[0])
    assert command("run", *options).code == 0
    assert not np.array_equal(swapped, read_field(root / FIELD))


MINE = """
name = "mine"
title = "My own"
[data]
[field]
names = "stem"
[preprocess]
normalise = { kind = "quantile" }
[evaluation]
[container]
dataset = "/input/inputs.json"
input = "/input"
output = "/output"
[container.sockets]
fixed = "moving-image"
moving = "fixed-image"
field = "fields/disp.nii.gz"
"""


def test_a_run_files_task_goes_before_the_mounts_only_if_it_is_one_of_such_jobs(
    root: Path, tmp_path: Path
) -> None:
    assert resolve(RunRequest()).task.name == "grand_challenge"
    config = root / "opt/ml/model/config.toml"
    config.write_text('task = "lumir25"')
    assert resolve(RunRequest()).task.name == "grand_challenge"
    assert resolve(RunRequest(task="aseg")).task.name == "aseg"
    mine = tmp_path / "mine.toml"
    mine.write_text(MINE)
    config.write_text(f'task = "{mine}"')
    assert resolve(RunRequest()).task.name == "mine"
    config.write_text("seed = 1")
    assert resolve(RunRequest()).task.name == "grand_challenge"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_run_file_of_the_project_leaves_a_job_its_task(root: Path, path: Path) -> None:
    assert resolve(RunRequest(config=path)).task.name == "grand_challenge"
    (root / "opt/ml/model/config.toml").write_text(f'extends = "{path}"')
    assert resolve(RunRequest()).task.name == "grand_challenge"


def test_a_mounted_model_replaces_the_run_file(
    command: Command, root: Path, quick: Path, tmp_path: Path
) -> None:
    assert resolve(RunRequest()).config == CONFIGS / "any_default.toml"
    model = root / "opt/ml/model/config.toml"
    shutil.copy(quick, model)
    assert resolve(RunRequest()).config == model
    assert resolve(RunRequest(config=quick)).config == quick
    assert command("run", "--device", "cpu").code == 0
    assert np.abs(read_field(root / FIELD)).max() > 1


def test_its_weights_are_looked_for_beside_it(command: Command, root: Path) -> None:
    model = root / "opt/ml/model"
    (model / "config.toml").write_text('[model]\nname = "voxelmorph"\nweights = "mine.pt"\n')
    (model / "mine.pt").write_bytes(b"no weights")
    ran = command("run", "--device", "cpu")
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert f"{model / 'mine.pt'}: " in ran.err
    (model / "mine.pt").unlink()
    assert command("run", "--device", "cpu").err == "error: mine.pt: no such weights file\n"


def test_a_model_without_a_run_file_is_not_passed_over(command: Command, root: Path) -> None:
    (root / "opt/ml/model/mine.safetensors").touch()
    ran = command("run")
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert "opt/ml/model: holds mine.safetensors; a model needs a run file config.toml" in ran.err


def test_a_wrong_list_is_one_line_and_code_2(command: Command, root: Path) -> None:
    put(root, root / "input/images/fixed-image/0f6c2f7e.mha", "pet-image")
    ran = command("run")
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert "image sockets are fixed-image, moving-image, pet-image; expected" in ran.err


def test_a_damaged_image_fails_the_job_with_a_plain_last_line(
    command: Command, root: Path, quick: Path
) -> None:
    image = root / "input/images/moving-image/0f6c2f7e.mha"
    image.write_bytes(image.read_bytes()[:-100])
    ran = command("run", "--config", quick, "--device", "cpu")
    assert ran.code == 1
    last = ran.err.splitlines()[-1]
    assert "FAILED, zero field written" in last
    assert f"{image}: damaged: 92060 bytes of values" in last
    zero = read_field(root / FIELD)
    assert zero.shape == (32, 40, 36, 3)
    assert not zero.any()


def test_another_list_beside_it_is_one_too_many(command: Command, root: Path) -> None:
    (root / "LUMIR_dataset.json").write_text("[]")
    ran = command("run")
    assert ran.code == 2
    assert "more than one pair list is mounted" in ran.err


@pytest.mark.slow
def test_real_brains_gain_overlap_through_the_sockets(
    command: Command, root: Path, tmp_path: Path
) -> None:
    """The sample's first pair: `.mha` in, `.mha` out, scored as the field of the list's pair."""
    shutil.rmtree(root / "input")
    (pair, *_) = read_pairs(SAMPLE / "SAMPLE_dataset.json", SAMPLE)
    put(root, pair.fixed.path, "fixed-image")
    put(root, pair.moving.path, "moving-image")
    assert command("run", "--config", ROOT / "configs/any_fast.toml", "--device", "cpu").code == 0
    task = load_task("aseg")
    write_field(tmp_path / field_name(task.field, pair), read_field(root / FIELD), np.eye(4))
    report = score_submission(open_submission(tmp_path), task, [pair], SAMPLE)
    assert report.aggregates()["DSC"].mean > report.unregistered("DSC") + 0.1
