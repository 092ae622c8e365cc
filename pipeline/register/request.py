"""From the words of a user or an organiser to a job: task, pairs and places; no torch up to here.

a pair list, given or mounted       every pair of it            LUMIR, classic Learn2Reg
the values of sockets, mounted      the pair of the job         grand-challenge.org
five paths                          the pair of the visits      PSMAReg
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

from l2r.dataset import read_pairs
from l2r.disk import can_see
from l2r.errors import ConfigError, DatasetError, ImageError, OutputError
from l2r.formats.metaimage import MetaImage
from l2r.formats.nifti import Nifti
from l2r.mounts import Mounts, find_mounts
from l2r.pairs import Pair, Scan
from l2r.run_files import read_run_file
from l2r.sockets import read_sockets
from l2r.submission import field_names
from l2r.task import Sockets, Task, load_task
from pipeline.register.shard import Shard

CONFIGS = Path(__file__).parents[2] / "configs"
DEFAULT_TASK = "lumir24"
"""The task of a pair list where none is named."""
MODEL_CONFIG = "config.toml"
"""The run file in the folder of a mounted model."""
FIVE = "fixed CT, fixed PET, moving CT, moving PET, and the field to write"
FIELD, *_ = Nifti.suffixes
"""End of the name of a field that is a file of its own."""
OUTPUT = f"output{MetaImage.suffixes[0]}"
"""The image in the folder of an image socket; the platform gives it a name of its own."""


SAVED = ("warped", "inverse", "network-inverse", "itk", "json")
"""Words for what a run saves besides the fields, see `pipeline.register.save`."""


@dataclass(frozen=True)
class SaveRequest:
    """Files besides the fields, and their folder."""

    kinds: frozenset[str]
    folder: Path

    @classmethod
    def parse(cls, text: str, folder: Path | None, fields: Path) -> "SaveRequest":
        """Read `warped,inverse`.

        Args:
            text: words of `SAVED`.
            folder: of the files; else one beside that of the fields.
            fields: folder of the fields.

        Raises:
            ConfigError: an unknown word, or the folder is that of the fields.
        """
        kinds = frozenset(text.split(","))
        if unknown := sorted(kinds - set(SAVED)):
            raise ConfigError(f"--save {text}: {unknown[0]!r} is none of {', '.join(SAVED)}")
        if kinds == {"json"}:
            raise ConfigError(f"--save {text}: json goes with itk or an inverse")
        place = folder or fields.with_name(f"{fields.resolve().name}_derivatives")
        if place.resolve() == fields.resolve():
            raise ConfigError(f"--save-to {place}: the scorer wants nothing but fields there")
        return cls(kinds, place)


@dataclass(frozen=True)
class RunRequest:
    """The options of the command line; None where one is left out."""

    config: Path | None = None
    task: str | None = None
    dataset: Path | None = None
    input: Path | None = None
    output: Path | None = None
    split: str = "validation"
    limit: int | None = None
    shard: str | None = None
    overrides: tuple[str, ...] = ()
    """`key=value` of the run file."""


@dataclass(frozen=True)
class Job:
    """Pairs to register, and by what."""

    config: Path
    task: Task
    pairs: dict[str, Pair]
    """By the name of the field's file, in the order of the list."""
    folder: Path
    """Of the fields."""
    one_field: bool = False
    """Whether the caller has named the one file that it wants: nothing else may be written."""
    shard: Shard | None = None
    others: tuple[str, ...] = ()
    """The fields that the other shards make."""
    save: SaveRequest | None = None
    """Files besides the fields."""
    overrides: tuple[str, ...] = ()
    """`key=value` of the run file."""


def resolve(request: RunRequest) -> Job:
    """Find the task, read the pair list, and see that its images are there.

    Raises:
        TaskError, DatasetError, ConfigError: in one line.
    """
    shard = None if request.shard is None else Shard.parse(request.shard)
    config = find_run_file(request.config) if request.config else None
    if request.dataset is None:
        mounts = find_mounts()
        if mounts.task.container and mounts.task.container.sockets:
            return _by_sockets(request, mounts)
        task = load_task(request.task) if request.task else mounts.task
        dataset, folder, output = mounts.dataset, mounts.input, mounts.output
    else:
        task = load_task(request.task or task_named_in(config) or DEFAULT_TASK)
        dataset, folder, output = request.dataset, request.dataset.parent, Path("output")
    folder = request.input or folder
    pairs = field_names(task.field, read_pairs(dataset, folder, request.split))
    if not any(can_see(path) for pair in pairs.values() for path in pair.files(labels=False)):
        example = next(iter(pairs.values())).fixed.relative
        raise DatasetError(
            f"{dataset}: none of the images of its {len(pairs)} pairs can be seen in {folder}, for "
            f"instance {example}; give their folder as --input, and let this user enter it"
        )
    chosen = dict(islice(pairs.items(), request.limit))
    own = chosen if shard is None else shard.of(chosen)
    others = tuple(name for name in chosen if name not in own)
    config = config or default_config(task)
    return Job(
        config,
        task,
        own,
        request.output or output,
        shard=shard,
        others=others,
        overrides=request.overrides,
    )


def with_saving(job: Job, text: str, folder: Path | None) -> Job:
    """The same job, which saves files besides the fields.

    Raises:
        ConfigError: an unknown word, or the caller wants one file and no other.
    """
    if job.one_field:
        raise ConfigError(f"--save {text}: this organiser wants the field and nothing besides")
    return replace(job, save=SaveRequest.parse(text, folder, job.folder))


def default_config(task: Task) -> Path:
    """The run file where none is named: the trained network knows the T1-weighted brain only."""
    known = task.data.shows == "t1_brain"
    return CONFIGS / ("t1_default.toml" if known else "any_default.toml")


def find_run_file(config: Path) -> Path:
    """The run file of that path, or else the one of that name that comes with Regatta.

    Raises:
        ConfigError: there is neither.
    """
    if config.exists():
        return config
    inside = config.relative_to("configs") if config.is_relative_to("configs") else config
    shipped = (CONFIGS / inside).with_suffix(".toml")
    if not shipped.is_file():
        known = ", ".join(sorted(path.stem for path in CONFIGS.glob("*.toml")))
        raise ConfigError(f"{config}: no such file, nor a run file of Regatta; these are: {known}")
    return shipped


def task_named_in(config: Path | None) -> str | None:
    """The task that a run file names, which it only does if it suits no other."""
    named = read_run_file(config).get("task") if config else None
    return None if named is None else str(named)


def resolve_visits(paths: Sequence[Path], task: str, config: Path | None = None) -> Job:
    """The pair of two visits, by the paths of its files, as PSMAReg's organisers call a container.

    Args:
        paths: CT and PET of the fixed visit, of the moving one, and the field to write.
        task: whose images and fields they are.
        config: the run file.

    Raises:
        ConfigError: another number of paths, or the field is no NIfTI file by its name.
        ImageError: an image is missing or cannot be opened.
        OutputError: the field's folder does not exist.
        TaskError: no such task.
    """
    if len(paths) != 5:
        raise ConfigError(f"{len(paths)} paths are given; five are expected: {FIVE}")
    *images, field = paths
    for path in images:
        _open(path)
    if not field.name.endswith(FIELD):
        raise ConfigError(f"{field}: the name of the field to write must end in {FIELD}")
    if not field.parent.is_dir():
        raise OutputError(f"{field}: its folder does not exist; mount it")
    fixed, moving = (Scan(PurePosixPath(path.name), path) for path in images[::2])
    pairs = {field.name: Pair(fixed, moving)}
    found = load_task(task)
    config = find_run_file(config) if config else default_config(found)
    return Job(config, found, pairs, field.parent, one_field=True)


def _open(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as cause:
        raise ImageError(f"{path}: cannot be read: {cause.strerror}") from None


def _by_sockets(request: RunRequest, mounts: Mounts) -> Job:
    """The pair of a job on grand-challenge.org."""
    config = find_run_file(request.config) if request.config else _run_file_in(mounts.model)
    task = load_task(request.task) if request.task else _task_of_job(config, mounts.task)
    sockets = (task.container and task.container.sockets) or Sockets()
    pair = read_sockets(mounts.dataset, request.input or mounts.input, sockets)
    path = (request.output or mounts.output) / sockets.field
    if not path.name.endswith(FIELD):
        path = path / OUTPUT
    pairs = {path.name: pair}
    config = config or default_config(task)
    return Job(config, task, pairs, path.parent, one_field=True, overrides=request.overrides)


def _task_of_job(config: Path | None, mounted: Task) -> Task:
    """The task of the mounts, unless the run file names another one of such jobs."""
    named = task_named_in(config)
    task = load_task(named) if named else mounted
    return task if task.container and task.container.sockets else mounted


def _run_file_in(model: Path | None) -> Path | None:
    """The run file of a mounted model, or None without a model."""
    files = sorted(path.name for path in model.iterdir()) if model and model.is_dir() else []
    if not model or not files:
        return None
    if MODEL_CONFIG not in files:
        raise ConfigError(
            f"{model}: holds {', '.join(files)}; a model needs a run file {MODEL_CONFIG} there, "
            "with the paths of weights relative to it"
        )
    return model / MODEL_CONFIG
