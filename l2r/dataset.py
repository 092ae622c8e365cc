"""Pair lists, in the dialects of the wild.

    LUMIR 2024 and 2025     {"validation": [{"fixed": ..., "moving": ...}], ...}
    classic Learn2Reg       {"registration_val": [...], "registration_test": [...], ...}
    TransMorph's container  {"inputs": [...]}
    PSMAReg 2026            {"validation_paired": [{"Baseline CT": ..., "Follow-up 01 CT": ...}]}
    bare                    [{"fixed": ..., "moving": ...}]

Paths are relative to the input folder, with or without a leading `./`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pydantic import AliasChoices, Field, RootModel, model_validator

from l2r.disk import can_see
from l2r.distinct import distinct
from l2r.errors import DatasetError
from l2r.formats.table import IMAGE_NAMES, IMAGE_SUFFIXES
from l2r.pairs import Pair, Scan
from l2r.schema import Tolerant, parse, read_json

SPLITS: dict[str, tuple[str, ...]] = {
    "training": ("training", "registration_train"),
    "validation": ("validation", "registration_val", "inputs", "validation_paired"),
    "test": ("test", "registration_test"),
}
"""Where a split is looked for, in this order; any other name is looked for as it is."""

_STUDY = "Follow-up 01 CT"


class _Entry(Tolerant):
    fixed: str
    moving: str

    def pair(self, folder: Path, where: str) -> Pair:
        fixed = _scan(self.fixed, folder, f"{where}: fixed")
        return Pair(fixed, _scan(self.moving, folder, f"{where}: moving"))


class _Study(Tolerant):
    """Two visits of a patient, each with CT and PET, and with labels of both for the scorer."""

    fixed: str = Field(validation_alias=AliasChoices("Baseline CT", "CT"))
    moving: str = Field(validation_alias="Follow-up 01 CT")
    fixed_pet: str = Field(validation_alias=AliasChoices("Baseline PET", "PET"))
    moving_pet: str = Field(validation_alias="Follow-up 01 PET")
    fixed_labels: str = Field("", validation_alias=AliasChoices("Baseline CT Label", "CT Label"))
    moving_labels: str = Field("", validation_alias="Follow-up 01 CT Label")
    fixed_lesions: str = Field("", validation_alias=AliasChoices("Baseline PET Label", "PET Label"))
    moving_lesions: str = Field("", validation_alias="Follow-up 01 PET Label")

    def pair(self, folder: Path, where: str) -> Pair:
        first = (self.fixed, self.fixed_labels, self.fixed_pet, self.fixed_lesions)
        second = (self.moving, self.moving_labels, self.moving_pet, self.moving_lesions)
        return Pair(_visit(first, folder, where), _visit(second, folder, where))


class _Image(Tolerant):
    """An image of a list, in a table or, as some lists have it, by its bare path."""

    image: str

    @model_validator(mode="before")
    @classmethod
    def _named(cls, raw: object) -> object:
        return {"image": raw} if isinstance(raw, str) else raw


class _Images(RootModel[list[_Image]]):
    pass


class _Entries(RootModel[list[_Entry]]):
    pass


class _Studies(RootModel[list[_Study]]):
    pass


def read_pairs(dataset: Path, folder: Path, split: str = "validation") -> list[Pair]:
    """The pairs of one split, in the order of the list.

    Args:
        dataset: the JSON file.
        folder: the input folder that the list's paths are relative to.
        split: `training`, `validation`, `test`, or the very key of the JSON file.

    Raises:
        DatasetError: a typo, no such split, an empty list, a wrong type, a path that leaves the
            folder, or a pair that stands twice.
    """
    pairs, scans = list[Pair](), dict[Scan, Scan]()
    for number, entry in enumerate(_entries(dataset, split), start=1):
        pair = entry.pair(folder, f"{dataset}: pair {number}")
        once = (scans.setdefault(scan, scan) for scan in (pair.fixed, pair.moving))
        pairs.append(Pair(*once))  # an image of many pairs takes memory once
    return distinct(pairs, dataset)


def read_scans(dataset: Path, folder: Path) -> list[Scan]:
    """The images that a pair list gives for training, each named alone, in the order of the list.

    Args:
        dataset: the JSON file, `{"training": [{"image": ...}, ...]}`.
        folder: the input folder that the list's paths are relative to.

    Raises:
        DatasetError: no such list, a wrong type, a path that leaves the folder, or an image that
            stands twice.
    """
    raw = read_json(dataset, DatasetError)
    lists = raw if isinstance(raw, dict) else {}
    keys = [key for key in SPLITS["training"] if lists.get(key)]
    if not keys:
        raise DatasetError(
            f'{dataset}: no training list; expected "training": [{{"image": ...}}, ...]'
        )
    where = f"{dataset}: {keys[0]}"
    entries = parse(_Images, lists[keys[0]], where, DatasetError).root
    scans = [
        _scan(entry.image, folder, f"{where}: image {number}")
        for number, entry in enumerate(entries, start=1)
    ]
    for name, count in Counter(str(scan.relative) for scan in scans).items():
        if count > 1:
            raise DatasetError(f"{where}: {name} stands more than once; remove one")
    return scans


def scans_of_folder(folder: Path) -> list[Scan]:
    """All images of a folder, or of `imagesTr` in it, by name.

    Raises:
        DatasetError: there are none.
    """
    inner = folder / "imagesTr"
    place = inner if inner.is_dir() else folder
    found = (path for ending in IMAGE_SUFFIXES for path in place.glob(f"*{ending}"))
    paths = sorted(path for path in found if not path.name.startswith("."))  # macOS leaves ._*
    if not paths:
        raise DatasetError(f"{place}: no {IMAGE_NAMES} file in it; give --data a folder of images")
    return [Scan(PurePosixPath(path.relative_to(folder).as_posix()), path) for path in paths]


def listed_pair(fixed: str, moving: str, folder: Path, where: str) -> Pair:
    """A pair from two paths that some list gives.

    Raises:
        DatasetError: a path leaves the folder or does not name an image.
    """
    return _Entry(fixed=fixed, moving=moving).pair(folder, where)


def _entries(dataset: Path, split: str) -> Sequence[_Entry | _Study]:
    raw = read_json(dataset, DatasetError)
    where, found = str(dataset), raw
    if isinstance(raw, dict):
        key = _key(raw, split, dataset)
        where, found = f"{dataset}: {key}", raw[key]
    if not found:
        hint = _offered(raw) if isinstance(raw, dict) else None
        raise DatasetError(f"{where}: the list of pairs is empty; {hint or 'nothing to register'}")
    if isinstance(found, list) and any(isinstance(e, dict) and _STUDY in e for e in found):
        return parse(_Studies, found, where, DatasetError).root
    return parse(_Entries, found, where, DatasetError).root


def _key(raw: dict[str, object], split: str, dataset: Path) -> str:
    keys = [key for key in SPLITS.get(split, (split,)) if key in raw]
    if keys:
        return next((key for key in keys if _holds_pairs(raw[key])), keys[0])
    hint = _offered(raw) or "it has no pairs"
    raise DatasetError(f"{dataset}: no pair list for the split {split!r}; {hint}")


def _offered(raw: dict[str, object]) -> str | None:
    """A hint at the splits of a list that have pairs; None if none has."""
    offered = [key for key, value in raw.items() if _holds_pairs(value)]
    if not offered:
        return None
    return f"it has pairs under {', '.join(offered)}: try --split {offered[0]}"


def _holds_pairs(value: object) -> bool:
    return isinstance(value, list) and any(
        isinstance(entry, dict) and {"fixed", "moving", _STUDY} & entry.keys() for entry in value
    )


def _visit(names: tuple[str, str, str, str], folder: Path, where: str) -> Scan:
    """A CT, its labels, the PET and its lesions; labels that are not named stand by the images."""
    image, labels, pet, lesions = names
    scan, tracer = _scan(image, folder, f"{where}: CT"), _scan(pet, folder, f"{where}: PET")
    of_ct = _scan(labels, folder, where).relative if labels else scan.beside("labels")
    of_pet = _scan(lesions, folder, where).relative if lesions else tracer.beside("labels")
    return replace(
        scan, beside_it=(("labels", of_ct), ("pet", tracer.relative), ("lesions", of_pet))
    )


def _scan(text: str, folder: Path, where: str) -> Scan:
    relative = _inside(PurePosixPath(text), folder)
    if "\\" in text and not can_see(folder / relative):
        raise DatasetError(f"{where}: {text!r}: separate folders by / instead of backslashes")
    if relative.is_absolute() or ".." in relative.parts:
        raise DatasetError(f"{where}: {text!r} leaves the input folder; give a path inside it")
    if not text.isprintable():  # or a message would break its line, or no file have the name
        raise DatasetError(
            f"{where}: {text!r} holds characters that no file name should; in JSON a backslash "
            "begins an escape, so separate folders by /"
        )
    if not relative.name.endswith(IMAGE_SUFFIXES):
        raise DatasetError(f"{where}: {text!r} must name a {IMAGE_NAMES} file")
    return Scan(relative, folder / relative)


def _inside(path: PurePosixPath, folder: Path) -> PurePosixPath:
    """An absolute path that leads into the folder, relative to it; any other as it is."""
    if not path.is_absolute():
        return path
    for root in (folder.absolute(), folder.resolve()):
        if path.is_relative_to(root):
            return path.relative_to(root)
    return path
