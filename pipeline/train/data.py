"""Data behind `--data`, `--maps` and `--validation`: to train on and to validate with."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from l2r.dataset import SPLITS, read_pairs, read_scans, scans_of_folder
from l2r.errors import DatasetError
from l2r.pairs import Pair, Scan
from l2r.schema import read_json


@dataclass(frozen=True)
class TrainingData:
    """Images, label maps and pairs, the latter with the folder that their paths are relative to."""

    scans: list[Scan]
    """Real images, of which each is paired with random others; may be none."""
    maps: list[Scan]
    """Label maps to make images from; may be none."""
    pairs: list[Pair]
    """For validation; may be none."""
    pairs_folder: Path
    training_pairs: list[Pair] = field(default_factory=list)
    """Pairs to train on, where the list names them, as for one atlas; may be none."""

    @property
    def has_images(self) -> bool:
        """True if there are real images."""
        return bool(self.scans or self.training_pairs)


def find_data(
    data: Path | None, validation: Path | None = None, maps: Path | None = None
) -> TrainingData:
    """The images of a list or a folder, label maps, and the pairs of the same or of another list.

    Args:
        data: a pair list with training images, a folder with one such list, or a folder of images.
        validation: a pair list, where it is another one.
        maps: a folder of label maps.

    Raises:
        DatasetError: there is no such thing, or a list cannot be used.
    """
    dataset = _list_of(data) if data else None
    judged = validation or (dataset if dataset and _has_pairs(dataset) else None)
    paired: list[Pair] = []
    if dataset and _names_pairs(dataset):
        paired = read_pairs(dataset, dataset.parent, "training")
    return TrainingData(
        scans=_images(data, dataset) if data and not paired else [],
        maps=_label_maps(maps) if maps else [],
        pairs=read_pairs(judged, judged.parent) if judged else [],
        pairs_folder=judged.parent if judged else Path(),
        training_pairs=paired,
    )


def _images(data: Path, dataset: Path | None) -> list[Scan]:
    scans = read_scans(dataset, dataset.parent) if dataset else _of_folder(data)
    if len(scans) < 2:
        raise DatasetError(f"{data}: one image only; a pair has two")
    return scans


def _of_folder(folder: Path) -> list[Scan]:
    """The images of a folder or of `imagesTr` in it; their label maps lie beside that one."""
    scans, here = scans_of_folder(folder.absolute()), folder.absolute().name
    if len(scans[0].relative.parts) > 1:
        return scans
    return [Scan(PurePosixPath(here) / scan.relative, scan.path) for scan in scans]


def _label_maps(folder: Path) -> list[Scan]:
    try:
        return scans_of_folder(folder)
    except DatasetError:
        raise DatasetError(
            f"{folder}: holds no image file; give --maps a folder of label maps"
        ) from None


def _list_of(data: Path) -> Path | None:
    """The pair list that is meant; None for a folder without one."""
    if not data.exists():
        raise DatasetError(f"{data}: no such folder or pair list; give --data")
    if data.is_file():
        return data
    named = sorted(data.glob("*dataset*.json"))
    found = [path for path in named if not path.name.startswith(".")]  # macOS leaves ._*
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DatasetError(f"{data}: holds several pair lists ({names}); give --data one of them")
    return found[0] if found else None


def _names_pairs(dataset: Path) -> bool:
    """Tell whether the training list has pairs, and not images."""
    raw = read_json(dataset, DatasetError)
    lists = raw if isinstance(raw, dict) else {}
    found = [lists[key] for key in SPLITS["training"] if lists.get(key)]
    entries = found[0] if found and isinstance(found[0], list) else [None]
    return isinstance(entries[0], dict) and "fixed" in entries[0]


def _has_pairs(dataset: Path) -> bool:
    raw = read_json(dataset, DatasetError)
    return isinstance(raw, dict) and any(raw.get(key) for key in SPLITS["validation"])
