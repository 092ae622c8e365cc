"""The runs that an organiser makes for a list of pairs: mounts, arguments, and what comes out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eval.grand_challenge import Predictions
from l2r.errors import OutputError
from l2r.submission import Folder, Submission
from pipeline.container.order import Order, open_for_reading
from pipeline.container.running import Place
from pipeline.container.sockets import FIELD, write_inputs


@dataclass(frozen=True)
class Job:
    """One run of the container."""

    pairs: tuple[str, ...]
    """Names of the fields that it is to make."""
    arguments: tuple[str, ...]
    places: tuple[Place, ...]


def jobs(order: Order) -> Iterator[Job]:
    """Every run; its mounts are made when its turn comes.

    Raises:
        ImageError: an image cannot be handed over.
        OutputError: a folder cannot be made.
    """
    make = {"list": _whole_list, "arguments": _five_paths, "sockets": _sockets}
    yield from make[order.contract.call](order)


def field_path(order: Order, name: str) -> Path:
    """Where the field of that name is to appear on this machine."""
    return order.output / (_case(name) / FIELD if order.contract.call == "sockets" else name)


def submission(order: Order) -> Submission:
    """What the scorer will see of all runs."""
    if order.contract.call != "sockets":
        return Folder(order.output)
    files = {name: field_path(order, name) for name in order.pairs}
    return Predictions(order.output, {name: path for name, path in files.items() if path.is_file()})


def others(order: Order) -> list[str]:
    """Files that a platform would see beside the fields; of a folder of fields, `check` tells."""
    if order.contract.call != "sockets":
        return []
    wanted = {field_path(order, name) for name in order.pairs}
    files = (path for path in sorted(order.output.rglob("*")) if path.is_file())
    return [str(path.relative_to(order.output)) for path in files if path not in wanted]


def _whole_list(order: Order) -> Iterator[Job]:
    places = _folders(order, order.input, order.output)
    if order.contract.dataset is not None:
        places.append(Place(order.dataset, order.contract.dataset))
    yield Job(tuple(order.pairs), (), tuple(places))


def _five_paths(order: Order) -> Iterator[Job]:
    """Baseline CT and PET, follow-up CT and PET, and the field."""
    contract = order.contract
    places = tuple(_folders(order, order.input, order.output))
    for name, pair in order.pairs.items():
        scans = (pair.fixed, pair.moving)
        images = [image for scan in scans for image in (scan.relative, scan.beside("pet"))]
        paths = (*(contract.input / image for image in images), contract.output / name)
        yield Job((name,), tuple(map(str, paths)), places)


def _sockets(order: Order) -> Iterator[Job]:
    for name, pair in order.pairs.items():
        inputs = order.scratch / "inputs" / _case(name)
        write_inputs(inputs, pair)
        open_for_reading(inputs)
        places = _folders(order, inputs, order.output / _case(name))
        if order.model is not None and order.contract.model is not None:
            places.append(Place(order.model, order.contract.model))
        yield Job((name,), (), tuple(places))


def _folders(order: Order, inputs: Path, output: Path) -> list[Place]:
    """The two that every contract has; any user may write into the output."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        output.chmod(0o777)
    except OSError as cause:
        raise OutputError(f"{output}: cannot be made: {cause.strerror or cause}") from None
    contract = order.contract
    return [Place(inputs, contract.input), Place(output, contract.output, writable=True)]


def _case(name: str) -> str:
    return name.removesuffix(".nii.gz")
