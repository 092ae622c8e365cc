"""What a user asks for, resolved to a task, pairs and places; no torch up to here."""

from dataclasses import dataclass
from pathlib import Path

from l2r.dataset import Pair, read_pairs
from l2r.errors import ConfigError, DatasetError
from l2r.mounts import find_mounts
from l2r.schema import read_toml
from l2r.submission import field_names
from l2r.task import Task, load_task

DEFAULT_CONFIG = Path(__file__).parents[1] / "configs" / "lumir_io.toml"


@dataclass(frozen=True)
class Request:
    """The words of the command line; None where nothing was said."""

    config: Path | None = None
    task: str | None = None
    dataset: Path | None = None
    input: Path | None = None
    output: Path | None = None
    split: str = "validation"
    limit: int | None = None


@dataclass(frozen=True)
class Resolved:
    """What they come to."""

    config: Path
    task: Task
    pairs: dict[str, Pair]
    """By the name of the field's file, in the order of the list."""
    output: Path


def resolve(request: Request) -> Resolved:
    """Find the task, read the pair list, and see that its images are there.

    Raises:
        TaskError, DatasetError, ConfigError: in one line.
    """
    config = request.config or DEFAULT_CONFIG
    if request.dataset is None:
        mounts = find_mounts()
        task = load_task(request.task) if request.task else mounts.task
        dataset, folder, output = mounts.dataset, mounts.input, mounts.output
    else:
        task = load_task(request.task or _task_named_in(config))
        dataset, folder, output = request.dataset, request.dataset.parent, Path("output")
    pairs = find_pairs(task, dataset, request.input or folder, request.split)
    return Resolved(
        config, task, dict(list(pairs.items())[: request.limit]), request.output or output
    )


def find_pairs(task: Task, dataset: Path, folder: Path, split: str) -> dict[str, Pair]:
    """The pairs of a list by their fields' names.

    Raises:
        DatasetError: the list cannot be used, or none of its images lies in `folder`.
    """
    pairs = read_pairs(dataset, folder, split)
    named = field_names(task.field, pairs)
    if not any(pair.fixed.path.exists() or pair.moving.path.exists() for pair in pairs):
        raise DatasetError(
            f"{dataset}: none of the images of its {len(pairs)} pairs lies in {folder}, "
            f"for instance {pairs[0].fixed.relative}; give their folder as --input"
        )
    return named


def _task_named_in(config: Path) -> str:
    return str(read_toml(config, ConfigError).get("task", "lumir24"))
