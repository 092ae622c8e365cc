"""A task is a file: `l2r/tasks/<name>.toml` says everything that differs between challenges."""

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from l2r.arrays import Shape
from l2r.errors import TaskError
from l2r.name_rules import RuleName
from l2r.normalise import Divide, Quantile
from l2r.schema import Frozen, Shelf

TASKS = Path(__file__).parent / "tasks"


class ImageRules(Frozen):
    """The images of a task."""

    shape: Shape | None = None
    """Of every image, in voxels; any shape where it is not given."""
    shows: Literal["t1_brain"] | None = None
    """`t1_brain`: T1-weighted brains without skull, aligned as LUMIR's are, voxels of 1 mm."""


class FieldRule(Frozen):
    """Names, layout and grid of the displacement fields that the scorer takes."""

    names: RuleName
    """A rule of `l2r.name_rules`, by its word there."""
    channels_first: bool = False
    """Whether `(3, x, y, z)` is accepted beside `(x, y, z, 3)`."""
    components: Literal["last", "first"] = "last"
    """Which axis of the fields that we write the components are."""
    npz: bool = False
    """Whether a NumPy archive of one array is accepted beside NIfTI, which is what we write."""
    grid: Literal["full", "half"] = "full"
    """`half`: one vector per 2 x 2 x 2 voxels, but in voxels of the full grid."""


class Preprocess(Frozen):
    """The preparation of intensities before a network sees them."""

    normalise: Annotated[Divide | Quantile, Field(discriminator="kind")]


class Sockets(Frozen):
    """The sockets of an algorithm on grand-challenge.org."""

    fixed: str | None = None
    """The slug of the fixed image's; without it, the one whose slug contains `fixed`."""
    moving: str | None = None
    """The slug of the moving image's; without it, the one whose slug contains `moving`."""
    field: PurePosixPath = PurePosixPath("images/displacement-field")
    """Relative path of the output: the folder of an image socket, or a file `.nii.gz`."""


class OrganiserRun(Frozen):
    """The organisers' `docker run`, by a name that `container verify --contract` knows."""

    contract: str
    call: Literal["list", "arguments", "sockets"]
    """`list`: all pairs of a mounted list in one run; `arguments`: the five paths of one pair;
    `sockets`: one pair, in the `inputs.json` of grand-challenge.org."""
    memory_gib: PositiveInt
    gpu: bool
    user: Literal["caller", "image"]
    """`caller`: `--user $(id -u):$(id -g)`."""
    submission: str | None = None
    """Begins the name of the zip that is handed in; None where the image alone is uploaded."""


class Container(Frozen):
    """The mounts of the organisers."""

    dataset: PurePosixPath | None = None
    """The pair list; of an algorithm on grand-challenge.org, the list of its sockets' values; None
    where the container is called with the paths of a pair."""
    input: PurePosixPath
    output: PurePosixPath
    sockets: Sockets | None = None
    """For an algorithm on grand-challenge.org."""
    model: PurePosixPath | None = None
    """Where a run file and weights may lie that replace those of the container."""
    run: OrganiserRun | None = None
    """The contract of a challenge that takes containers."""


class Task(Frozen):
    """One challenge, or one data set of one."""

    name: str
    title: str
    data: ImageRules
    field: FieldRule
    preprocess: Preprocess
    evaluation: dict[str, object]
    """The scorer's protocol; `eval.protocol` knows what it may hold."""
    container: Container | None = None


_SHELF = Shelf(TASKS, Task, "task", TaskError)


def task_names() -> list[str]:
    """Every task that `load_task` knows by name."""
    return _SHELF.names()


def load_task(name: str) -> Task:
    """Read `l2r/tasks/<name>.toml`, or a task file given by its path.

    Raises:
        TaskError: no such task, or the file is faulty.
    """
    return _SHELF.load(name)
