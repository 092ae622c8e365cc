"""The runs that an organiser makes for a list of pairs: mounts, arguments, expected files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eval.grand_challenge import Predictions
from l2r.errors import OutputError
from l2r.formats.table import strip_suffix
from l2r.submission import Folder, Submission
from pipeline.container.docker_run import BindMount
from pipeline.container.inputs import VerificationInputs, open_for_reading
from pipeline.container.sockets import FIELD, write_inputs


@dataclass(frozen=True)
class PlannedRun:
    """One run of the container, before it is started."""

    pairs: tuple[str, ...]
    """Names of the fields that it must write."""
    arguments: tuple[str, ...]
    places: tuple[BindMount, ...]


def planned_runs(inputs: VerificationInputs) -> Iterator[PlannedRun]:
    """Yield every run; its mounts are made when its turn comes.

    Raises:
        ImageError: an image cannot be handed over.
        OutputError: a folder cannot be made.
    """
    make = {"list": _whole_list, "arguments": _five_paths, "sockets": _sockets}
    yield from make[inputs.contract.call](inputs)


def field_path(inputs: VerificationInputs, name: str) -> Path:
    """Return the path on this machine where the field of that name must appear."""
    return inputs.output / (_case(name) / FIELD if inputs.contract.call == "sockets" else name)


def submission(inputs: VerificationInputs) -> Submission:
    """Open the fields of all runs as the scorer sees them."""
    if inputs.contract.call != "sockets":
        return Folder(inputs.output)
    files = {name: field_path(inputs, name) for name in inputs.pairs}
    return Predictions(
        inputs.output, {name: path for name, path in files.items() if path.is_file()}
    )


def unexpected_files(inputs: VerificationInputs) -> list[str]:
    """List other files that a platform would see; for a folder of fields, `check` reports them."""
    if inputs.contract.call != "sockets":
        return []
    wanted = {field_path(inputs, name) for name in inputs.pairs}
    files = (path for path in sorted(inputs.output.rglob("*")) if path.is_file())
    return [str(path.relative_to(inputs.output)) for path in files if path not in wanted]


def _whole_list(inputs: VerificationInputs) -> Iterator[PlannedRun]:
    places = _folders(inputs, inputs.input, inputs.output)
    if inputs.contract.dataset is not None:
        places.append(BindMount(inputs.dataset, inputs.contract.dataset))
    yield PlannedRun(tuple(inputs.pairs), (), tuple(places))


def _five_paths(inputs: VerificationInputs) -> Iterator[PlannedRun]:
    """Yield a run per pair: baseline CT and PET, follow-up CT and PET, and the field."""
    contract = inputs.contract
    places = tuple(_folders(inputs, inputs.input, inputs.output))
    for name, pair in inputs.pairs.items():
        scans = (pair.fixed, pair.moving)
        images = [image for scan in scans for image in (scan.relative, scan.beside("pet"))]
        paths = (*(contract.input / image for image in images), contract.output / name)
        yield PlannedRun((name,), tuple(map(str, paths)), places)


def _sockets(inputs: VerificationInputs) -> Iterator[PlannedRun]:
    for name, pair in inputs.pairs.items():
        mounted = inputs.scratch / "inputs" / _case(name)
        write_inputs(mounted, pair)
        open_for_reading(mounted)
        places = _folders(inputs, mounted, inputs.output / _case(name))
        if inputs.model is not None and inputs.contract.model is not None:
            places.append(BindMount(inputs.model, inputs.contract.model))
        yield PlannedRun((name,), (), tuple(places))


def _folders(inputs: VerificationInputs, source: Path, output: Path) -> list[BindMount]:
    """Mount input and output, as every contract does; any user may write into the output."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        output.chmod(0o777)
    except OSError as cause:
        raise OutputError(f"{output}: cannot be made: {cause.strerror or cause}") from None
    contract = inputs.contract
    return [BindMount(source, contract.input), BindMount(output, contract.output, writable=True)]


def _case(name: str) -> str:
    return strip_suffix(name)
