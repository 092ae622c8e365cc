"""The files to hand in: the saved image with README and fields, written as a stream."""

import re
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import docker
from isal import igzip

from l2r.check import Finding
from l2r.console import Advance, progress
from l2r.disk import make_folder, writing
from l2r.errors import ConfigError, ContainerError
from l2r.formats.nifti import GZIP_LEVEL
from pipeline.container.check_package import (
    MODEL,
    PREDICTIONS,
    README,
    check_saved_image,
    check_zip,
)
from pipeline.container.contracts import Contract, find_contract
from pipeline.container.engine import engine
from pipeline.container.images import EngineImage, find_image
from pipeline.container.readme import readme
from pipeline.container.record import FIELDS, Verification, read_record


@dataclass(frozen=True)
class PackageRequest:
    """The options of the command."""

    image: str
    contract: str
    verified: Path
    output: Path
    user: str | None = None
    model: Path | None = None


def pack(wanted: PackageRequest) -> tuple[list[Path], list[Finding]]:
    """Write the files, and read them as the platform does.

    Returns:
        The files, and what would be rejected of them.

    Raises:
        L2RError: there is no such image, it is not what was verified, or a file cannot be written.
    """
    contract = find_contract(wanted.contract)
    report = read_record(wanted.verified)
    _refuse_words(wanted, contract)
    with engine() as client:
        image = find_image(client, wanted.image)
        _refuse_report(report, contract, image, wanted.verified)
        make_folder(wanted.output)
        with progress(2, "package") as advance:
            if contract.submission is None:
                return _write_alone(client, image, wanted, contract, advance)
            path = wanted.output / f"{contract.submission}_{wanted.user}_TestPhase.zip"
            _write_zip(client, image, path, (report, contract, wanted.verified / FIELDS))
            advance(f"{path}: written")
            findings = list(check_zip(path, contract))
            advance(f"{path}: read back")
    return [path], findings


def _refuse_words(wanted: PackageRequest, contract: Contract) -> None:
    if contract.submission is None:
        return
    if not re.fullmatch(r"[\w.-]+", wanted.user or ""):
        raise ConfigError(
            f"--user {wanted.user or 'is missing'}: the zip is named by it; give your name at the "
            "challenge, letters, digits and ._- only"
        )
    if wanted.model is not None:
        raise ConfigError(f"--model is for grand-challenge; {contract.name} takes one image")


def _refuse_report(
    report: Verification, contract: Contract, image: EngineImage, folder: Path
) -> None:
    """Only what was verified, and was good, is packed."""
    again = f"run verify {image.name} --contract {contract.name} again"
    if (report.contract, report.image_id) != (contract.name, image.id):
        raise ContainerError(
            f"{folder}: verified was {report.image} ({report.image_id[:19]}), {report.contract}; "
            f"asked for is {image.name} ({image.id[:19]}), {contract.name}; {again}"
        )
    if report.problems:
        first = report.problems[0]
        raise ContainerError(
            f"{folder}: would be rejected: {first.name}: {first.text}; mend it and {again}"
        )
    if contract.submission and (report.dataset is None or len(report.seconds) < report.listed):
        made = f"{len(report.seconds)} of {report.listed} pairs" if report.dataset else "a phantom"
        raise ContainerError(
            f"{folder}: was verified on {made}, but the validation fields are handed in; {again} "
            "with --dataset and without --limit"
        )


def _write_zip(
    client: docker.DockerClient,
    image: EngineImage,
    path: Path,
    what: tuple[Verification, Contract, Path],
) -> None:
    """Image, README and fields; nothing is held as a whole."""
    report, contract, fields = what
    with writing(path) as file, zipfile.ZipFile(file, "w") as archive:
        with archive.open(_file_name(image), "w", force_zip64=True) as member:
            _save(client, image, member)
        archive.writestr(README, readme(report, contract, _file_name(image)))
        with (
            archive.open(PREDICTIONS, "w", force_zip64=True) as member,
            zipfile.ZipFile(member, "w") as predictions,
        ):
            for name in report.seconds:
                predictions.write(fields / name, name)


def _write_alone(
    client: docker.DockerClient,
    image: EngineImage,
    wanted: PackageRequest,
    contract: Contract,
    advance: Advance,
) -> tuple[list[Path], list[Finding]]:
    """The image, and the weights beside it, as grand-challenge.org takes them."""
    path = wanted.output / _file_name(image)
    with writing(path) as file:
        _save(client, image, file)
    advance(f"{path}: written")
    with path.open("rb") as file:
        findings = list(check_saved_image(file, path.name, contract))
    advance(f"{path}: read back")
    if wanted.model is None:
        return [path], findings
    model = wanted.output / MODEL
    with (
        writing(model) as file,
        igzip.IGzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for part in sorted(wanted.model.iterdir()):
            archive.add(part, part.name)
    return [path, model], findings


@runtime_checkable
class Writable(Protocol):
    """A file, on the disk or in a zip."""

    def write(self, data: bytes, /) -> int:
        """Append."""
        ...


def _save(client: docker.DockerClient, image: EngineImage, file: Writable) -> None:
    """`docker save | gzip`."""
    with igzip.IGzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as packed:
        for chunk in client.api.get_image(image.name):
            packed.write(chunk)


def _file_name(image: EngineImage) -> str:
    return f"{image.name.rpartition('/')[2].partition(':')[0]}.tar.gz"
