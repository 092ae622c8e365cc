"""What a training is given on the command line, and what comes out of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from l2r.errors import ConfigError, DatasetError
from l2r.grid import GridRule
from l2r.phantom import write_phantom
from l2r.task import load_task
from models.networks.voxelmorph.lumir import VoxelMorph1Config
from models.training.cache import Cache
from models.training.config import TrainConfig
from models.training.dataset import Dataset
from models.training.mixture import Mixture
from models.training.sampling import PairPreprocessor, RandomPartners
from models.training.synthesis.pairs import SyntheticPairs
from pipeline.train.build_dataset import build_dataset, check_data
from pipeline.train.command import TrainRequest, train
from pipeline.train.data import find_data

NETWORK = VoxelMorph1Config(encoder=(4, 4, 4, 4), decoder=(4, 4, 4, 4), extras=(4, 4))


@pytest.fixture(scope="module")
def brains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of three made-up brains with label maps; do not write into it."""
    folder = tmp_path_factory.mktemp("brains")
    write_phantom(folder, shape=(32, 32, 32), subjects=3)
    return folder


def config(**data: object) -> TrainConfig:
    return TrainConfig.model_validate({"model": NETWORK, "epochs": 1, "data": data})


def test_label_maps_are_found_beside_the_folder_of_images(brains: Path) -> None:
    scans = find_data(brains / "imagesVal").scans
    assert [scan.labels for scan in scans] == sorted((brains / "labelsVal").iterdir())


@pytest.mark.parametrize(
    ("asked", "given", "kind"),
    [
        ({"kind": "images"}, "data", RandomPartners),
        ({"kind": "synthesis"}, "maps", SyntheticPairs),
        ({"kind": "synthesis", "real": 0.5}, "data maps", Mixture),
    ],
    ids=str,
)
def test_each_kind_of_data_wants_its_own_files(
    brains: Path, tmp_path: Path, asked: dict[str, object], given: str, kind: type[Dataset]
) -> None:
    images = brains / "imagesVal" if "data" in given else None
    maps = brains / "labelsVal" if "maps" in given else None
    found = find_data(images, maps=maps)
    check_data(config(**asked), found)
    assert (len(found.scans), len(found.maps)) == (3 * bool(images), 3 * bool(maps))
    assert found.pairs == []
    every = find_data(brains / "imagesVal", maps=brains / "labelsVal")
    task = load_task(str(brains / "phantom.toml"))
    preprocessor = PairPreprocessor(task, GridRule(), Cache(tmp_path / "cache"))
    assert type(build_dataset(config(**asked), found, preprocessor)._inner) is kind
    for option, path in (("--data", images), ("--maps", maps)):
        other = {"scans" if option == "--data" else "maps": [] if path else every.scans}
        match = f"asks for pairs .*; give {option}" if path else f"; leave out {option}"
        with pytest.raises(ConfigError, match=match):
            check_data(config(**asked), replace(found, **other))


def test_a_folder_without_label_maps_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="give --maps a folder of label maps"):
        find_data(None, maps=tmp_path)


@pytest.mark.slow
def test_a_training_at_half_resolution_is_judged_at_full_resolution(
    brains: Path, tmp_path: Path
) -> None:
    text = f"""
        task = "{brains / "phantom.toml"}"
        passes = [2]
        epochs = 2
        augment = [{{ name = "flip", axes = [0] }}]
        model = {{ name = "voxelmorph_1", encoder = [4, 4, 4, 4], decoder = [4, 4, 4, 4] }}
        data = {{ kind = "synthesis", pairs = 4, real = 0.5, structures = [2, 43] }}
        objective = {{ label_weight = 1.0, similarity = {{ name = "lncc", window = 5 }} }}
    """
    (tmp_path / "half.toml").write_text(text)
    request = TrainRequest(
        tmp_path / "half.toml",
        find_data(brains / "imagesVal", brains / "PHANTOM_dataset.json", brains / "labelsVal"),
        output=tmp_path / "out",
        device="cpu",
    )
    assert train(request) == "finished"
    lines = (tmp_path / "out" / "log.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert last["epoch"] == 2
    assert set(last["training"]) == set(last["validation"]) == {"similarity", "labels"}
    assert 0.2 < last["scores"]["DSC"] <= 1
    settings = json.loads((tmp_path / "out" / "training.json").read_text())
    assert len(settings["maps"]) == len(settings["images"]) == 3


@pytest.mark.slow
def test_a_training_for_two_passes_is_judged_by_both(brains: Path, tmp_path: Path) -> None:
    text = f"""
        task = "{brains / "phantom.toml"}"
        passes = [2, 1]
        crop = 16
        epochs = 2
        augment = [{{ name = "gain", together = true }}, {{ name = "flip", axes = [0] }}]
        model = {{ name = "pyramid", first = 4, encoder = [6, 8], decoder = [8, 8] }}
        data = {{ kind = "synthesis", pairs = 4, real = 0.5, structures = [2, 43], kept = 2 }}
        objective = {{ label_weight = 1.0, similarity = {{ name = "lncc", window = 5 }} }}
    """
    (tmp_path / "two.toml").write_text(text)
    request = TrainRequest(
        tmp_path / "two.toml",
        find_data(brains / "imagesVal", brains / "PHANTOM_dataset.json", brains / "labelsVal"),
        output=tmp_path / "out",
        device="cpu",
    )
    assert train(request) == "finished"
    lines = (tmp_path / "out" / "log.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert set(last["training"]) == set(last["validation"]) == {"similarity", "labels"}
    assert last["training"]["labels"] > 0
    assert 0.2 < last["scores"]["DSC"] <= 1


def test_a_crop_that_the_network_cannot_work_on_is_one_line(brains: Path, tmp_path: Path) -> None:
    text = f"""
        task = "{brains / "phantom.toml"}"
        passes = [2, 1]
        crop = 18
        epochs = 1
        model = {{ name = "pyramid", first = 4, encoder = [6, 8], decoder = [8, 8] }}
    """
    (tmp_path / "odd.toml").write_text(text)
    data = find_data(brains / "imagesVal")
    request = TrainRequest(tmp_path / "odd.toml", data, output=tmp_path / "out", device="cpu")
    with pytest.raises(ConfigError, match="crop = 18: axes must be multiples of 4"):
        train(request)


def test_what_macos_leaves_is_neither_an_image_nor_a_list(brains: Path, tmp_path: Path) -> None:
    names = ["a.nii.gz", "b.nii.gz"]
    source = next((brains / "imagesVal").glob("*.nii.gz"))
    for name in names:
        (tmp_path / name).write_bytes(source.read_bytes())
    for name in (*names, "X_dataset.json"):
        (tmp_path / f"._{name}").write_bytes(b"\0\5\x16\7")
    assert [scan.path.name for scan in find_data(tmp_path, maps=tmp_path).maps] == names
    (tmp_path / "X_dataset.json").write_text(
        json.dumps({"training": [{"image": names[1]}, *names[:1]]})
    )
    assert [scan.path.name for scan in find_data(tmp_path).scans] == names[::-1]
