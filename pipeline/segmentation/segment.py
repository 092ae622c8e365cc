"""Label maps, volumes and a picture of images."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from l2r.console import progress
from l2r.disk import make_folder, writing
from l2r.errors import ImageError, L2RError, OutputError
from l2r.formats.table import strip_suffix
from l2r.formats.volumes import Image, read_image, write_volume
from l2r.task import Task, load_task
from models.segmentation.grids import on_grid, upright_grid
from models.segmentation.segmenter import Segmenter
from models.segmentation.structures import STRUCTURES
from pipeline.device import find_device
from pipeline.register.predict import to_torch
from pipeline.segmentation.picture import draw_labels

VOLUMES = "volumes.csv"


@dataclass(frozen=True)
class SegmentRequest:
    """The request of a user."""

    images: Sequence[Path]
    output: Path
    weights: Path
    task: str
    device: str


@dataclass(frozen=True)
class Segmented:
    """The label map of an image, on the image's own grid, or why there is none."""

    name: str
    volumes_mm3: dict[int, float]
    error: str | None = None


def segment_images(request: SegmentRequest) -> list[Segmented]:
    """Segment images one by one; one that cannot be does not stop the others.

    A label map has its image's name, as in the folders of a challenge (`imagesTr`, `labelsTr`).

    Raises:
        L2RError: nothing could be begun, or two images have one name.
    """
    names = _names(request.images, request.output)
    task = load_task(request.task)
    segmenter = Segmenter.from_weights(request.weights, find_device(request.device))
    make_folder(request.output)
    results = []
    with progress(len(names), "segment") as advance:
        for path, name in zip(request.images, names, strict=True):
            try:
                volumes = segment_image(path, request.output, name, task, segmenter)
            except OutputError:
                raise
            except L2RError as error:
                results.append(Segmented(name, {}, str(error)))
                advance(f"{name}: FAILED: {error}")
            else:
                results.append(Segmented(name, volumes))
                advance(name)
    _write_volumes(request.output / VOLUMES, results)
    return results


def segment_image(
    path: Path, output: Path, name: str, task: Task, segmenter: Segmenter
) -> dict[int, float]:
    """Write the label map and the picture of one image, and return the volumes in mm3.

    Raises:
        ImageError: it cannot be used.
        OutputError: a file cannot be written.
    """
    image = read_image(path)
    if 1 in image.array.shape:
        raise ImageError(f"{path}: is one slice, {image.array.shape}; brains are segmented whole")
    seen = on_grid(image, upright_grid(image))
    volume = task.preprocess.normalise(np.asarray(seen.array, np.float32)).volume
    found = segmenter.label_map(to_torch(volume, segmenter.device))[0, 0].cpu().numpy()
    labels = on_grid(Image(found, seen.affine), image.grid, "nearest")
    write_volume(output / path.name, labels.array, image.affine)
    draw_labels(output / f"{name}.png", volume, found)
    return _volumes(labels)


def _names(images: Sequence[Path], output: Path) -> list[str]:
    """Names of images without their suffix.

    Raises:
        ImageError: two are alike.
        OutputError: a label map would replace its image.
    """
    if own := [path for path in images if path.parent.resolve() == output.resolve()]:
        raise OutputError(f"{output}: is the folder of {own[0].name}; give --output another one")
    names = [strip_suffix(path.name) for path in images]
    for number, name in enumerate(names):
        if name in names[:number]:
            first = images[names.index(name)]
            raise ImageError(
                f"{images[number]}: has the name of {first}, and so would its label map; segment "
                "them into folders of their own"
            )
    return names


def _volumes(labels: Image) -> dict[int, float]:
    voxel = float(abs(np.linalg.det(labels.affine[:3, :3])))
    counts = np.bincount(labels.array.ravel(), minlength=max(STRUCTURES) + 1)
    return {label: voxel * int(counts[label]) for label in STRUCTURES}


def _write_volumes(path: Path, results: Sequence[Segmented]) -> None:
    """Write a row per image, a column per structure, in mm3."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", *STRUCTURES])
    for result in results:
        if result.error is None:
            table.writerow([result.name, *(round(v, 1) for v in result.volumes_mm3.values())])
    with writing(path) as file:
        file.write(text.getvalue().encode())
