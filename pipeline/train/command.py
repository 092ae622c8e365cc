"""The training job, from a request to weights on the disk."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch

from l2r.disk import writing
from l2r.errors import ConfigError
from l2r.grid import GridRule
from l2r.task import Task, load_task
from models.networks.base import RegistrationModel
from models.training.cache import Cache
from models.training.config import TrainConfig, load_training
from models.training.context import TrainContext, Validator
from models.training.distributed import DistributedContext, distributed_context
from models.training.logging import LogFile, Logger
from models.training.loop import Finished, fit
from models.training.sampling import ListedPairs, PairPreprocessor
from models.training.state import BEST, CHECKPOINT, LAST, SETTINGS, refuse_begun
from models.training.tensorboard import TensorBoard
from models.weights.load import build_network
from pipeline.device import find_device
from pipeline.train.build_dataset import build_dataset, check_data
from pipeline.train.data import TrainingData
from pipeline.train.progress_bar import ProgressBar
from pipeline.train.validation import ValidationScorer, predicted_by
from pipeline.workdir import open_folder


@dataclass(frozen=True)
class TrainRequest:
    """Arguments of a training."""

    config: Path
    data: TrainingData
    output: Path
    device: str = "auto"
    resume: bool = False
    time_budget_s: float | None = None
    overrides: tuple[str, ...] = ()
    """`key=value` of the training file."""


def train(request: TrainRequest) -> Finished:
    """Train as a training file says; everything that comes out lies in the output folder.

    Raises:
        L2RError: something cannot be used; the last checkpoint, if there was one, is good.
    """
    config = load_training(request.config, request.overrides)
    task = load_task(config.task)
    check_data(config, request.data)
    device = find_device(request.device)
    folder = open_folder(request.output)
    refuse_begun(folder, resume=request.resume)
    torch.manual_seed(config.seed)  # of the weights that a new network begins with
    model = build_network(config.model)
    with (
        distributed_context(device) as processes,
        _ending(request.time_budget_s) as stop,
        ProgressBar() as screen,
    ):
        context = _context(request, config, task, model, processes, stop)
        if processes.is_main:
            with writing(folder / SETTINGS) as file:
                file.write(_record(context.settings, request.overrides).encode())
        loggers: list[Logger] = [screen]
        if processes.is_main:
            loggers += [LogFile(folder), TensorBoard(folder / "tensorboard")]
        return fit(model, context, loggers)


def _context(
    request: TrainRequest,
    config: TrainConfig,
    task: Task,
    model: RegistrationModel,
    processes: DistributedContext,
    stop: Callable[[], bool],
) -> TrainContext:
    data, folder = request.data, request.output
    labels = config.objective.label_weight is not None
    preprocessor = PairPreprocessor(
        task,
        working_grids(model, config),
        Cache(folder / "cache"),
        labels=labels,
        structures=config.data.structures,
        shrink=config.shrink,
        maps=config.in_pieces,
    )
    validator = None
    if data.pairs:
        score = ValidationScorer(
            preprocessor, data.pairs, data.pairs_folder, processes.device, predicted_by(config)
        )
        validator = Validator(ListedPairs(data.pairs, preprocessor), score)
    return TrainContext(
        config=config,
        dataset=build_dataset(config, data, preprocessor),
        folder=folder,
        settings=_settings(config, data, processes),
        validator=validator,
        processes=processes,
        stop=stop,
    )


def working_grids(model: RegistrationModel, config: TrainConfig) -> GridRule:
    """Grids that the network and its pseudo-labellers can work on."""
    rule = config.grid(model.grid)
    if config.in_pieces and model.grid.slices == "only":
        raise ConfigError("several passes, or a crop, are for volumes; leave them out for slices")
    if config.crop is not None and (problem := model.grid.problem((config.crop,) * 3)):
        raise ConfigError(f"crop = {config.crop}: {problem}")
    for term in config.guidance:
        try:
            rule = rule.joined(term.teacher.grid)
        except ValueError as cause:
            raise ConfigError(
                f"no grid suits both network {config.model.name!r} and teacher "
                f"{term.teacher.name!r}: {cause}; change the teacher or the network"
            ) from None
    return rule


def _settings(config: TrainConfig, data: TrainingData, processes: DistributedContext) -> str:
    """Everything that decides the weights, but for versions and devices."""
    return json.dumps(
        {
            "training": config.model_dump(mode="json"),
            "images": [str(scan.relative) for scan in data.scans],
            "pairs": [pair.name for pair in data.training_pairs],
            "maps": [str(scan.relative) for scan in data.maps],
            "validation": [pair.name for pair in data.pairs],
            "processes": processes.size,
        },
        indent=1,
    )


def _record(settings: str, overrides: tuple[str, ...]) -> str:
    """The settings with the words of the command line that changed them."""
    return json.dumps(json.loads(settings) | {"overrides": overrides}, indent=1)


def left_behind(folder: Path) -> str:
    """Say which files of a training are in its folder."""
    last, best, log = (folder / name for name in (LAST, BEST, LogFile.NAME))
    if last.is_file():
        files = [path.name for path in (last, best) if path.is_file()]
        return f"weights ({', '.join(files)}) and log are in {folder}"
    kept = "its checkpoint" if (folder / CHECKPOINT).is_file() else "the record of its settings"
    if log.is_file():
        kept += f" and {log.name}"
    return f"no epoch is done, so there are no weights yet; {kept} is in {folder}"


@contextmanager
def _ending(time_budget_s: float | None) -> Iterator[Callable[[], bool]]:
    """Provide the test whether to end: the time is up, or Ctrl-C or a batch system wants it.

    The step that is being done is finished and all is saved; who asks twice is not kept waiting.
    """
    asked: list[int] = []
    deadline = float("inf") if time_budget_s is None else time.monotonic() + time_budget_s

    def note(number: int, _: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked) or time.monotonic() > deadline
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
