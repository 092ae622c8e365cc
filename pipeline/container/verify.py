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
from pipeline.container.check_image import check_archive, check_config, check_size
from pipeline.container.check_run import check_fields, check_run, seconds_per_pair
from pipeline.container.contracts import GIB, Contract, find_contract
from pipeline.container.docker_run import RunLimits, RunOutcome, run_container
from pipeline.container.engine import engine
from pipeline.container.images import EngineImage, find_image, read_saved
from pipeline.container.inputs import (
    PairSource,
    VerificationInputs,
    phantom_pair,
    read_inputs,
    refuse_private,
)
from pipeline.container.machine import describe, differences, gpu_notes, limits_for
from pipeline.container.record import FIELDS, REPORT, RunRecord, Verification, write_record
from pipeline.container.runs import PlannedRun, field_path, planned_runs


@dataclass(frozen=True)
class VerifyRequest:
    """The options of the command; None where one was not given."""

    image: str
    contract: str
    data: PairSource | None = None
    output: Path | None = None
    memory_gib: float | None = None
    model: Path | None = None


def verify(request: VerifyRequest) -> Verification:
    """Run the image for every pair and check what it wrote.

    Raises:
        L2RError: it cannot be tried: no engine, no such image, no pairs.
    """
    contract = find_contract(request.contract)
    _refuse(request, contract)
    with engine() as client, _folders(request.output) as places:
        image = find_image(client, request.image)
        data = request.data or phantom_pair(contract, places[0])
        inputs = replace(read_inputs(contract, data, places), model=request.model)
        report = _verified(client, image, inputs, request)
    if request.output is not None:
        write_record(request.output / REPORT, report)
    return report


def _refuse(request: VerifyRequest, contract: Contract) -> None:
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
    """Make a folder for the files that a run needs, and one for the fields."""
    # What the container's user made in folders of its own, only that user can delete.
    with TemporaryDirectory(prefix="regatta-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        yield scratch, (output or scratch) / FIELDS


def _verified(
    client: docker.DockerClient,
    image: EngineImage,
    inputs: VerificationInputs,
    request: VerifyRequest,
) -> Verification:
    info = client.info()
    limits = limits_for(inputs.contract, info, request.memory_gib)
    user = limits.user or image.facts.config.user or "root"
    if inputs.contract.call != "sockets" and user != f"{os.getuid()}:{os.getgid()}":
        refuse_private(inputs, user)
    ran = _run_all(client, image, inputs, limits)
    findings = [*check_config(image.facts, inputs.contract), *_of_size(client, image)]
    findings += [finding for job, how in ran for finding in check_run(job, how, limits)]
    findings += check_fields(inputs)
    seconds: dict[str, float] = {}
    for job, how in ran:
        seconds |= seconds_per_pair(inputs, job, how)
    runs = tuple(_record(job, how) for job, how in ran)
    device_gib = max((run.device_gib for run in runs if run.device_gib is not None), default=None)
    return Verification(
        regatta=__version__,
        image=image.name,
        image_id=image.id,
        contract=inputs.contract.name,
        dataset=str(request.data.dataset) if request.data else None,
        listed=inputs.listed,
        user=user,
        memory_gib=limits.memory_bytes / GIB,
        machine=describe(info, limits),
        runs=runs,
        seconds=seconds,
        findings=tuple(findings),
        notes=(*differences(inputs.contract, limits), *gpu_notes(limits, device_gib)),
    )


def _run_all(
    client: docker.DockerClient, image: EngineImage, inputs: VerificationInputs, limits: RunLimits
) -> list[tuple[PlannedRun, RunOutcome]]:
    ran = []
    with progress(len(inputs.pairs), inputs.contract.name) as advance:
        for job in planned_runs(inputs):
            coming = list(job.pairs)

            def report_written(coming: list[str] = coming) -> None:
                while coming and field_path(inputs, coming[0]).exists():
                    advance(f"{coming.pop(0)}: written")

            how = run_container(
                client, image.name, job.arguments, job.places, limits, report_written
            )
            report_written()
            for name in coming:
                advance(f"{name}: not written")
            ran.append((job, how))
    return ran


def _of_size(client: docker.DockerClient, image: EngineImage) -> Iterator[Finding]:
    yield from check_size("image", image.size)
    yield from check_archive(read_saved(client, image))


def _record(job: PlannedRun, ran: RunOutcome) -> RunRecord:
    return RunRecord(
        pairs=job.pairs,
        exit_code=ran.exit_code,
        seconds=ran.seconds,
        peak_gib=ran.peak_gib,
        device_gib=ran.device_gib,
        log=ran.log,
    )
