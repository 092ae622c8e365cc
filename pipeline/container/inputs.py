"""The pairs that a container is given: those of a list, or one of a phantom."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from l2r.dataset import read_pairs
from l2r.disk import writing
from l2r.errors import DatasetError
from l2r.pairs import Pair
from l2r.submission import field_names
from l2r.task import load_task
from pipeline.container.contracts import Contract
from pipeline.container.phantom import make_pair


@dataclass(frozen=True)
class PairSource:
    """A pair list and the folder of its images."""

    dataset: Path
    input: Path
    """The folder that the list's paths are relative to."""
    limit: int | None = None


@dataclass(frozen=True)
class VerificationInputs:
    """Pairs, mounts and output folder of a verification."""

    contract: Contract
    dataset: Path
    """The organiser's list, or a shortened one."""
    input: Path
    pairs: dict[str, Pair]
    """By the name of the field's file."""
    listed: int
    """Pairs of the whole list."""
    scratch: Path
    """For files that a run needs: a shortened list, the images of sockets."""
    output: Path
    """For the fields; empty or missing."""
    model: Path | None = None


def read_inputs(
    contract: Contract, data: PairSource, places: tuple[Path, Path]
) -> VerificationInputs:
    """Read the pair list and check that all its images exist.

    Args:
        contract: the organiser's.
        data: list and images.
        places: two folders, for the files that a run needs and for its output.

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
    return VerificationInputs(contract, dataset, data.input, pairs, len(listed), scratch, output)


def phantom_pair(contract: Contract, scratch: Path) -> PairSource:
    """Write one pair of a phantom on the grid of the challenge.

    Raises:
        OutputError: it cannot be written.
    """
    folder = scratch / "phantom"
    data = PairSource(make_pair(contract, folder), folder)
    open_for_reading(folder)
    return data


def refuse_private(inputs: VerificationInputs, user: str) -> None:
    """Check that the container's user can read the images; if not, the image is not to blame.

    Args:
        inputs: their folder is mounted as it is.
        user: for the message.

    Raises:
        DatasetError: only the owner, or the owner's group, can read a file or a folder.
    """
    for image in _images(inputs.contract, inputs.input, inputs.pairs):
        folders = [path for path in image.parents if path.is_relative_to(inputs.input)]
        for path, needed in ((image, 0o4), *((folder, 0o5) for folder in folders)):
            if path.stat().st_mode & needed != needed:
                raise DatasetError(
                    f"{path}: not readable for all, and the container's user is {user}; "
                    f"chmod -R a+rX {inputs.input}"
                )


def open_for_reading(folder: Path) -> None:
    """Make the files of a run readable for every user, whatever the umask is."""
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
