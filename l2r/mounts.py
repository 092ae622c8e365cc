"""The organisers call a container without arguments; these are the places they mount."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from l2r.disk import can_see
from l2r.errors import DatasetError
from l2r.task import Container, Task, load_task, task_names


@dataclass(frozen=True)
class Mounts:
    """The places of a task's pair list, images and results."""

    task: Task
    dataset: Path
    """The pair list, or the values of an algorithm's sockets."""
    input: Path
    output: Path
    model: Path | None = None
    """Where a run file and weights may lie that replace those of the container."""


def find_mounts(root: Path = Path("/")) -> Mounts:
    """The mounts of the one challenge whose pair list is there.

    Args:
        root: where the container's `/` is.

    Raises:
        DatasetError: none or more than one of the known pair lists is there.
    """
    found = all_mounts(root)
    if len(found) != 1:
        listed = ", ".join(str(mounts.dataset) for mounts in found or _known(root))
        state = "more than one pair list is mounted" if found else "no pair list is mounted"
        raise DatasetError(
            f"{state} ({listed}); give --dataset, --input and --output, or mount exactly one"
        )
    return found[0]


def all_mounts(root: Path = Path("/")) -> list[Mounts]:
    """The mounts of every challenge whose pair list is there; one is what a run needs."""
    return [mounts for mounts in _known(root) if can_see(mounts.dataset)]


def _known(root: Path) -> list[Mounts]:
    return [
        _mounts(task, task.container, task.container.dataset, root)
        for task in map(load_task, task_names())
        if task.container is not None and task.container.dataset is not None
    ]


def _mounts(task: Task, places: Container, dataset: PurePosixPath, root: Path) -> Mounts:
    def at(path: PurePosixPath) -> Path:
        return root / path.relative_to("/")

    model = at(places.model) if places.model else None
    return Mounts(task, at(dataset), at(places.input), at(places.output), model)
