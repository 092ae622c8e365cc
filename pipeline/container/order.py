"""What a container is to register: pairs of a list, or a made-up one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from l2r.dataset import Pair, read_pairs
from l2r.disk import writing
from l2r.errors import DatasetError
from l2r.submission import field_names
from l2r.task import load_task
from pipeline.container.contracts import Contract
from pipeline.container.phantom import make_pair


@dataclass(frozen=True)
class Data:
    """Where the pairs come from."""

    dataset: Path
    input: Path
    """What the list's paths are relative to."""
    limit: int | None = None


@dataclass(frozen=True)
class Order:
    """What is to be registered, and where."""

    contract: Contract
    dataset: Path
    """The organiser's list, or a shortened one."""
    input: Path
    pairs: dict[str, Pair]
    """By the name of the field's file."""
    listed: int
    """Pairs of the whole list."""
    scratch: Path
    """For what has to be written for a run, list or sockets."""
    output: Path
    """For the fields; there is nothing in it yet."""
    model: Path | None = None


def take_order(contract: Contract, data: Data, places: tuple[Path, Path]) -> Order:
    """Read the list, and see that all its images are there.

    Args:
        contract: whose.
        data: what.
        places: folders for what a run needs, and for what it makes.

    Raises:
        DatasetError: the list cannot be used, or an image is missing.
    """
    scratch, output = places
    task = load_task(contract.task)
    listed = field_names(task.field, read_pairs(data.dataset, data.input))
    pairs = dict(islice(listed.items(), data.limit))
    for image in _images(contract, data.input, pairs):
        if not image.is_file():
            raise DatasetError(f"{image}: no such file, but {data.dataset} lists it; give --input")
    dataset = data.dataset
    if len(pairs) < len(listed):
        dataset = _shortened(scratch / "dataset.json", list(pairs.values()))
    return Order(contract, dataset, data.input, pairs, len(listed), scratch, output)


def made_up(contract: Contract, scratch: Path) -> Data:
    """One pair of a phantom on the grid of the challenge.

    Raises:
        OutputError: it cannot be written.
    """
    folder = scratch / "phantom"
    data = Data(make_pair(contract, folder), folder)
    open_for_reading(folder)
    return data


def refuse_private(order: Order, user: str) -> None:
    """See that the container's user can read the images: it is no fault of the image if not.

    Args:
        order: whose input is mounted as it is.
        user: for the message.

    Raises:
        DatasetError: only the owner, or the owner's group, can read a file or a folder.
    """
    for image in _images(order.contract, order.input, order.pairs):
        folders = [path for path in image.parents if path.is_relative_to(order.input)]
        for path, needed in ((image, 0o4), *((folder, 0o5) for folder in folders)):
            if path.stat().st_mode & needed != needed:
                raise DatasetError(
                    f"{path}: not readable for all, and the container's user is {user}; "
                    f"chmod -R a+rX {order.input}"
                )


def open_for_reading(folder: Path) -> None:
    """Let everybody read what was made for a run, whatever the umask is."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _images(contract: Contract, folder: Path, pairs: dict[str, Pair]) -> Iterator[Path]:
    for pair in pairs.values():
        for scan in (pair.fixed, pair.moving):
            yield scan.path
            if contract.call == "arguments":
                yield folder / scan.beside("pet")


def _shortened(path: Path, pairs: list[Pair]) -> Path:
    entries = [
        {"fixed": f"./{pair.fixed.relative}", "moving": f"./{pair.moving.relative}"}
        for pair in pairs
    ]
    with writing(path) as file:
        file.write(json.dumps({"numValidation": len(pairs), "validation": entries}).encode())
    path.chmod(0o644)
    return path
