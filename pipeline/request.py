"""What a user asks for, resolved to a task, pairs and places; no torch up to here."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from l2r.dataset import Pair, read_pairs
from l2r.errors import ConfigError, DatasetError
from l2r.mounts import find_mounts
from l2r.schema import read_toml
from l2r.submission import field_names
from l2r.task import Task, load_task
from pipeline.shard import Shard

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
    shard: str | None = None


@dataclass(frozen=True)
class Resolved:
    """What they come to."""

    config: Path
    task: Task
    pairs: dict[str, Pair]
    """By the name of the field's file, in the order of the list."""
    output: Path
    shard: Shard | None = None
    others: tuple[str, ...] = ()
    """The fields that the other shards make."""


def resolve(request: Request) -> Resolved:
    """Find the task, read the pair list, and see that its images are there.

    Raises:
        TaskError, DatasetError, ConfigError: in one line.
    """
    config = request.config or DEFAULT_CONFIG
    shard = None if request.shard is None else Shard.parse(request.shard)
    if request.dataset is None:
        mounts = find_mounts()
        task = load_task(request.task) if request.task else mounts.task
        dataset, folder, output = mounts.dataset, mounts.input, mounts.output
    else:
        task = load_task(request.task or _task_named_in(config))
        dataset, folder, output = request.dataset, request.dataset.parent, Path("output")
    folder = request.input or folder
    pairs = field_names(task.field, read_pairs(dataset, folder, request.split))
    if not any(pair.fixed.path.exists() or pair.moving.path.exists() for pair in pairs.values()):
        example = next(iter(pairs.values())).fixed.relative
        raise DatasetError(
            f"{dataset}: none of the images of its {len(pairs)} pairs lies in {folder}, for "
            f"instance {example}; give their folder as --input"
        )
    chosen = dict(islice(pairs.items(), request.limit))
    own = chosen if shard is None else shard.of(chosen)
    others = tuple(name for name in chosen if name not in own)
    return Resolved(config, task, own, request.output or output, shard, others)


def _task_named_in(config: Path) -> str:
    return str(read_toml(config, ConfigError).get("task", "lumir24"))
