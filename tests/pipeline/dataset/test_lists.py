"""Pair lists of a folder, split or folded."""

import json
from pathlib import Path

import pytest

from l2r.dataset import read_pairs
from pipeline.train.data import find_data
from tests.pipeline.conftest import Command


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Eight files with names of images; a list does not look into them."""
    (tmp_path / "imagesTr").mkdir()
    for number in range(8):
        (tmp_path / "imagesTr" / f"A_{number:04}_0000.nii.gz").touch()
    return tmp_path


def test_a_split_has_images_to_train_on_and_chains_of_pairs(command: Command, images: Path) -> None:
    ran = command("dataset", "split", images, "--counts", "4,2,2", "--seed", "3")
    assert ran.code == 0
    dataset = images / "split_dataset.json"
    data = find_data(dataset)
    assert (len(data.scans), len(data.pairs)) == (4, 1)
    assert len(read_pairs(dataset, images, "test")) == 1
    trained = {scan.name for scan in data.scans}
    judged = {scan.name for pair in data.pairs for scan in (pair.fixed, pair.moving)}
    assert not trained & judged
    assert json.loads(dataset.read_text())["seed"] == 3


def test_an_atlas_is_moved_onto_all_others(command: Command, images: Path) -> None:
    atlas = "imagesTr/A_0003_0000.nii.gz"
    command("dataset", "split", images, "--counts", "4,3", "--atlas", atlas)
    data = find_data(images / "split_dataset.json")
    assert (len(data.training_pairs), len(data.pairs)) == (4, 3)
    for pair in (*data.training_pairs, *data.pairs):
        assert pair.moving.name == "A_0003_0000"
        assert pair.fixed.name != pair.moving.name


def test_folds_validate_every_image_of_an_atlas_list_once(command: Command, images: Path) -> None:
    atlas = "imagesTr/A_0003_0000.nii.gz"
    ran = command("dataset", "folds", images, "--folds", "3", "--atlas", atlas)
    assert len(ran.out.splitlines()) == 3
    judged = []
    for number in (1, 2, 3):
        data = find_data(images / f"split_dataset-{number}.json")
        assert len(data.training_pairs) + len(data.pairs) == 7
        judged += [pair.fixed.name for pair in data.pairs]
    assert sorted(judged) == [f"A_{n:04}_0000" for n in range(8) if n != 3]


def test_a_list_elsewhere_or_without_its_atlas_is_refused(
    command: Command, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    words = ("dataset", "split", images, "--counts", "4,2")
    elsewhere = command(*words, "--output", tmp_path / "other" / "list.json")
    assert elsewhere.code == 2
    assert "a list names images relative to itself" in elsewhere.err
    without = command(*words, "--atlas", "atlas.nii.gz")
    assert without.code == 2
    assert "no image 'atlas.nii.gz'" in without.err
