"""Pair lists of a folder of images: seeded splits and folds, with or without an atlas."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from l2r.dataset import scans_of_folder
from l2r.disk import writing
from l2r.errors import DatasetError
from pipeline.dataset.choice import folds, split


@dataclass(frozen=True)
class ListRequest:
    """A folder of images, and how its lists are to be made."""

    folder: Path
    output: Path
    """The pair list; with folds, `-1`, `-2` and so on come before its suffix."""
    seed: int = 0
    atlas: str | None = None
    """Path of an image of the folder, relative to it, which is moved onto all others."""


def write_split(request: ListRequest, counts: Sequence[int]) -> Path:
    """Write one list with a training, a validation and a test split.

    Raises:
        DatasetError: there are fewer images, or no such atlas.
        OutputError: the list cannot be written.
    """
    training, *others = split(_names(request), counts, request.seed)
    splits = dict(zip(("validation", "test"), others, strict=False))
    return _write(request, request.output, training, splits)


def write_folds(request: ListRequest, count: int) -> list[Path]:
    """Write a list for each fold of a cross-validation.

    Raises:
        DatasetError: there are fewer images, or no such atlas.
        OutputError: a list cannot be written.
    """
    parts = folds(_names(request), count, request.seed)
    stem, suffix = request.output.stem, request.output.suffix
    return [
        _write(
            request,
            request.output.with_name(f"{stem}-{number}{suffix}"),
            training,
            {"validation": validation},
        )
        for number, (training, validation) in enumerate(parts, start=1)
    ]


def _names(request: ListRequest) -> list[str]:
    """Paths of the images, relative to the list's folder, without the atlas."""
    if request.output.resolve().parent != request.folder.resolve():
        raise DatasetError(
            f"{request.output}: a list names images relative to itself; write it into "
            f"{request.folder}"
        )
    names = [str(scan.relative) for scan in scans_of_folder(request.folder)]
    if request.atlas is None:
        return names
    if request.atlas not in names:
        raise DatasetError(f"{request.folder}: no image {request.atlas!r}, which is the atlas")
    return [name for name in names if name != request.atlas]


def _write(
    request: ListRequest, path: Path, training: list[str], others: dict[str, list[str]]
) -> Path:
    content: dict[str, object] = {"name": path.stem, "seed": request.seed}
    if request.atlas is None:
        content["training"] = [{"image": f"./{name}"} for name in training]
        for kind, names in others.items():
            content[kind] = [_pair(fixed, moving) for fixed, moving in pairwise(names)]
    else:
        for kind, names in {"training": training, **others}.items():
            content[kind] = [_pair(name, request.atlas) for name in names]
    with writing(path) as file:
        file.write(json.dumps(content, indent=1).encode())
    return path


def _pair(fixed: str, moving: str) -> dict[str, str]:
    return {"fixed": f"./{fixed}", "moving": f"./{moving}"}
