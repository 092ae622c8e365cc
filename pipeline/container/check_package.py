"""Checks of the files to hand in, read as the platform reads them."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from isal import igzip

from l2r.check import Finding
from l2r.errors import ContainerError
from pipeline.container.check_image import Readable, check_archive, check_config, read_archive
from pipeline.container.contracts import Contract
from pipeline.container.readme import missing

README = "README.txt"
PREDICTIONS = "validation_predictions.zip"
MODEL = "model.tar.gz"
IMAGE = ".tar.gz"


def check_zip(path: Path, contract: Contract) -> Iterator[Finding]:
    """Yield the faults of a zip to hand in.

    Raises:
        ContainerError: it cannot be read at all.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            if damaged:
                yield Finding(path.name, f"{damaged} is damaged on the disk; pack it again")
                return
            yield from _check_members(archive, contract)
    except (zipfile.BadZipFile, OSError) as cause:
        raise ContainerError(f"{path}: cannot be read: {cause}; pack it again") from None


def check_saved_image(file: Readable, name: str, contract: Contract) -> Iterator[Finding]:
    """Yield the faults of a saved and gzipped image.

    Raises:
        ContainerError: it is none.
    """
    with igzip.IGzipFile(fileobj=file) as unpacked:
        saved = read_archive(unpacked, name)
    yield from check_archive(saved)
    yield from check_config(saved.facts, contract)


def _check_members(archive: zipfile.ZipFile, contract: Contract) -> Iterator[Finding]:
    names = archive.namelist()
    images = [name for name in names if name.endswith(IMAGE)]
    if len(images) != 1:
        yield Finding("zip", f"{len(images)} files *{IMAGE}; exactly one image is expected")
    for name in images:
        with archive.open(name) as file:
            yield from check_saved_image(file, name, contract)
    for name in {README, PREDICTIONS} - set(names):
        yield Finding("zip", f"{name} is missing; pack it again")
    if README in names:
        lost = missing(archive.read(README).decode())
        if lost:
            yield Finding(README, f"nothing about {', '.join(lost)}; pack it again")
    if PREDICTIONS in names:
        yield from _check_predictions(archive)


def _check_predictions(archive: zipfile.ZipFile) -> Iterator[Finding]:
    with archive.open(PREDICTIONS) as file, zipfile.ZipFile(file) as predictions:
        damaged = predictions.testzip()
        if damaged or not predictions.namelist():
            yield Finding(PREDICTIONS, f"{damaged or 'all'} is damaged or missing; pack it again")
