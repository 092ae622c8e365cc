"""Run an image exactly as an organiser does, and say what would be rejected."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import docker

from l2r import __version__
from l2r.check import Finding
from l2r.console import progress
from l2r.errors import ConfigError
from pipeline.container.contracts import GIB, Contract, find_contract
from pipeline.container.engine import engine
from pipeline.container.findings import of_fields, of_run, seconds_per_pair
from pipeline.container.images import Image, find_image, saved
from pipeline.container.jobs import Job, field_path, jobs
from pipeline.container.machine import describe, differences, limits_for
from pipeline.container.order import Data, Order, made_up, refuse_private, take_order
from pipeline.container.rejections import refused, refused_archive, too_large
from pipeline.container.report import FIELDS, REPORT, Run, Verified, write_report
from pipeline.container.running import Limits, Ran, run


@dataclass(frozen=True)
class Request:
    """The words of the command line; None where nothing was said."""

    image: str
    contract: str
    data: Data | None = None
    output: Path | None = None
    memory_gib: float | None = None
    model: Path | None = None


def verify(request: Request) -> Verified:
    """Run the image for every pair and check what it wrote.

    Raises:
        L2RError: it cannot be tried: no engine, no such image, no pairs.
    """
    contract = find_contract(request.contract)
    _refuse(request, contract)
    with engine() as client, _folders(request.output) as places:
        image = find_image(client, request.image)
        data = request.data or made_up(contract, places[0])
        order = replace(take_order(contract, data, places), model=request.model)
        report = _verified(client, image, order, request)
    if request.output is not None:
        write_report(request.output / REPORT, report)
    return report


def _refuse(request: Request, contract: Contract) -> None:
    if request.model is not None and contract.model is None:
        raise ConfigError(f"--model is for grand-challenge; {contract.name} mounts no weights")
    if request.model is not None and not request.model.is_dir():
        raise ConfigError(
            f"{request.model}: no such folder; --model is what the archive unpacks to"
        )
    fields = request.output / FIELDS if request.output else None
    if fields and fields.exists():
        raise ConfigError(f"{fields}: is there already; give --output a new folder")


@contextmanager
def _folders(output: Path | None) -> Iterator[tuple[Path, Path]]:
    """One for what a run needs, and one for the fields."""
    # What the container's user made in folders of its own, only that user can delete.
    with TemporaryDirectory(prefix="regatta-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        yield scratch, (output or scratch) / FIELDS


def _verified(
    client: docker.DockerClient, image: Image, order: Order, request: Request
) -> Verified:
    info = client.info()
    limits = limits_for(order.contract, info, request.memory_gib)
    user = limits.user or image.facts.config.user or "root"
    if order.contract.call != "sockets" and user != f"{os.getuid()}:{os.getgid()}":
        refuse_private(order, user)
    ran = _run_all(client, image, order, limits)
    findings = [*refused(image.facts, order.contract), *_of_size(client, image)]
    findings += [finding for job, how in ran for finding in of_run(job, how, limits)]
    findings += of_fields(order)
    seconds: dict[str, float] = {}
    for job, how in ran:
        seconds |= seconds_per_pair(order, job, how)
    return Verified(
        regatta=__version__,
        image=image.name,
        image_id=image.id,
        contract=order.contract.name,
        dataset=str(request.data.dataset) if request.data else None,
        listed=order.listed,
        user=user,
        memory_gib=limits.memory_bytes / GIB,
        machine=describe(info, limits),
        runs=tuple(_record(job, how) for job, how in ran),
        seconds=seconds,
        findings=tuple(findings),
        notes=tuple(differences(order.contract, limits)),
    )


def _run_all(
    client: docker.DockerClient, image: Image, order: Order, limits: Limits
) -> list[tuple[Job, Ran]]:
    ran = []
    with progress(len(order.pairs), order.contract.name) as advance:
        for job in jobs(order):
            coming = list(job.pairs)

            def look(coming: list[str] = coming) -> None:
                while coming and field_path(order, coming[0]).exists():
                    advance(f"{coming.pop(0)}: written")

            how = run(client, image.name, job.arguments, job.places, limits, look)
            look()
            for name in coming:
                advance(f"{name}: not written")
            ran.append((job, how))
    return ran


def _of_size(client: docker.DockerClient, image: Image) -> Iterator[Finding]:
    yield from too_large("image", image.size)
    yield from refused_archive(saved(client, image))


def _record(job: Job, ran: Ran) -> Run:
    return Run(
        pairs=job.pairs,
        exit_code=ran.exit_code,
        seconds=ran.seconds,
        peak_gib=ran.peak_gib,
        device_gib=ran.device_gib,
        log=ran.log,
    )
