"""What lies behind `--data`, `--maps` and `--validation`: what to train on, pairs to judge by."""

from dataclasses import dataclass, replace
from pathlib import Path

from l2r.dataset import SPLITS, Pair, Scan, read_pairs, read_scans, scans_of_folder
from l2r.errors import ConfigError, DatasetError
from l2r.schema import read_json
from models.training.config import TrainConfig
from models.training.images import RandomPartners, Reading
from models.training.mixed import Mixed
from models.training.source import Source
from models.training.synthesis.config import Synthesis
from models.training.synthesis.pairs import SyntheticPairs


@dataclass(frozen=True)
class TrainingData:
    """Images, label maps and pairs, the latter with the folder that their paths are relative to."""

    scans: list[Scan]
    """Real images; may be none."""
    maps: list[Scan]
    """Label maps to make images from; may be none."""
    pairs: list[Pair]
    """For validation; may be none."""
    pairs_folder: Path


def find_data(
    config: TrainConfig, data: Path | None, maps: Path | None, validation: Path | None = None
) -> TrainingData:
    """All files that a training needs.

    Args:
        config: says whether real images, label maps or both are needed.
        data: a pair list with training images, a folder with one such list, or a folder of images.
        maps: a folder of label maps.
        validation: a pair list, where it is not that of `data`.

    Raises:
        ConfigError: what the configuration needs was not given, or something that it does not need.
        DatasetError: there is no such thing, or a list cannot be used.
    """
    made = isinstance(config.data, Synthesis)
    real = config.data.real > 0 if isinstance(config.data, Synthesis) else True
    _check_given("--data", data, "pairs of real images", needed=real)
    _check_given("--maps", maps, "pairs from label maps", needed=made)
    dataset = _list_of(data) if data else None
    judged = validation or (dataset if dataset and _has_pairs(dataset) else None)
    return TrainingData(
        scans=_images(data, dataset) if data else [],
        maps=_label_maps(maps) if maps else [],
        pairs=read_pairs(judged, judged.parent) if judged else [],
        pairs_folder=judged.parent if judged else Path(),
    )


def source_of(config: TrainConfig, data: TrainingData, reading: Reading) -> Source:
    """What the training draws its pairs from, before they are augmented."""
    if not isinstance(config.data, Synthesis):
        orders = config.data.both_orders
        return RandomPartners(data.scans, reading, seed=config.seed, both_orders=orders)
    made = SyntheticPairs(data.maps, reading, config.data, seed=config.seed)
    if not data.scans:
        return made
    bare = replace(reading, labels=False)
    real = RandomPartners(data.scans, bare, seed=config.seed, both_orders=False)
    return Mixed(real, made, config.data.real, config.batch)


def _check_given(option: str, path: Path | None, what: str, *, needed: bool) -> None:
    if needed and path is None:
        raise ConfigError(f"the configuration asks for {what}; give {option}")
    if path is not None and not needed:
        raise ConfigError(f"{option} {path}: the configuration has no {what}; leave it out")


def _images(data: Path, dataset: Path | None) -> list[Scan]:
    scans = read_scans(dataset, dataset.parent) if dataset else scans_of_folder(data)
    if len(scans) < 2:
        raise DatasetError(f"{data}: one image only; a pair has two")
    return scans


def _label_maps(folder: Path) -> list[Scan]:
    try:
        return scans_of_folder(folder)
    except DatasetError:
        raise DatasetError(
            f"{folder}: no .nii or .nii.gz file in it; give --maps a folder of label maps"
        ) from None


def _list_of(data: Path) -> Path | None:
    """The pair list that is meant; None for a folder without one."""
    if not data.exists():
        raise DatasetError(f"{data}: no such folder or pair list; give --data")
    if data.is_file():
        return data
    found = sorted(data.glob("*dataset*.json"))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DatasetError(f"{data}: holds several pair lists ({names}); give --data one of them")
    return found[0] if found else None


def _has_pairs(dataset: Path) -> bool:
    raw = read_json(dataset, DatasetError)
    return isinstance(raw, dict) and any(raw.get(key) for key in SPLITS["validation"])
