"""The work of a cluster's worker: it registers pairs one at a time by the loop of any run.

All that decides a field comes with the task; the network is loaded once per process.
"""

import platform
import threading
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn, TypeAlias

from l2r.errors import ClusterError
from l2r.pairs import Pair
from l2r.prepare import Loaded
from l2r.task import Task
from pipeline.device import find_device
from pipeline.register.attempts import MOST, attempt
from pipeline.register.config import RunConfig
from pipeline.register.export import ExportField
from pipeline.register.journal import JournalLine
from pipeline.register.ledger import DoneField
from pipeline.register.loop import RegistrationLoop
from pipeline.register.manifest import PairRecord, RunSettings, hash_inputs
from pipeline.register.settings import settings_of
from pipeline.register.stages import Stages, build_stages

NamedPair: TypeAlias = tuple[str, Pair]
"""A pair and the name of its field's file."""
Claim: TypeAlias = tuple[str, Pair, DoneField]
"""A pair that a record calls done."""


@dataclass(frozen=True)
class RemoteRun:
    """Task, run file and places of a run, in a form that travels to workers."""

    task: Task
    config: RunConfig
    device: str
    folder: Path
    """Of the fields, on a disk that all workers see."""
    called_in: Path
    """Folder to which relative paths of the run file refer."""
    time_budget_s: float | None = None
    overrides: tuple[str, ...] = ()
    """Values of the command line, which `config` has in it."""

    def settings(self) -> RunSettings:
        """The settings of the run on this machine."""
        with self._in_folder():
            device = find_device(self.device)
            return settings_of(self.task, self.config, device, self.time_budget_s, self.overrides)

    @contextmanager
    def _in_folder(self) -> Iterator[None]:
        """Be where the command was called, if this machine has that folder."""
        with chdir(self.called_in if self.called_in.is_dir() else Path.cwd()):
            yield

    def stages(self) -> Stages:
        """The stages of every pair, with the network loaded."""
        with self._in_folder():
            return build_stages(self.config, self.task, find_device(self.device))


@dataclass(frozen=True)
class FinishedPair:
    """A finished pair, for the ledger and for the reader."""

    line: JournalLine
    news: str


class PairWorker:
    """The loop of a run in a worker's process, which gives each record to the caller."""

    def __init__(self, run: RemoteRun, settings: RunSettings) -> None:
        """Load the network.

        Args:
            run: what to do.
            settings: those of the first worker that was asked, which are the run's.

        Raises:
            ClusterError: this machine would make other fields.
            L2RError: as for `build_stages`.
        """
        _require_alike(run.settings(), settings)
        self.key = (run.folder, settings.sha256)
        self._folder, self._lines = run.folder, list[JournalLine]()
        export, stages = ExportField(run.task, run.folder), run.stages()
        self._register, self._give_up = (
            RegistrationLoop(each, export, ledger=self, time_budget_s=run.time_budget_s)
            for each in (stages, replace(stages, prepare=_refuse))
        )

    def __call__(self, name: str, pair: Pair) -> FinishedPair:
        """Register one pair, or give it up if it has killed too many workers.

        Raises:
            OutputError: the folder cannot be written to.
        """
        news: list[str] = []
        with attempt(self._folder, name) as killed:
            loop = self._register if killed < MOST else self._give_up
            loop({name: pair}, news.append)
        return FinishedPair(self._lines.pop(), news.pop())

    def is_done(self, _: str, __: str | None) -> bool:
        """False: the sender keeps what is done to itself."""
        return False

    def record(self, name: str, record: PairRecord, peak_memory_gib: dict[str, float]) -> None:
        """Keep the record until the loop has ended."""
        self._lines.append(JournalLine(name=name, pair=record, peak_memory_gib=peak_memory_gib))


_ONE_PAIR = threading.Lock()
"""A worker may have several threads; a pair takes all of the machine that the worker has."""
_loaded: list[PairWorker] = []
"""The one of the last run, if any."""


def settings_here(run: RemoteRun) -> RunSettings:
    """The settings of the run on the worker that is called."""
    return run.settings()


def register_pair(run: RemoteRun, settings: RunSettings, item: NamedPair) -> FinishedPair:
    """Register one pair on a worker.

    Raises:
        ClusterError: this worker would make other fields than the one that `settings` come from.
        L2RError: nothing could be begun, or the folder cannot be written to.
    """
    with _ONE_PAIR:
        if not _loaded or _loaded[0].key != (run.folder, settings.sha256):
            _loaded[:] = [PairWorker(run, settings)]
        return _loaded[0](*item)


def was_made_before(run: RemoteRun, claim: Claim) -> bool:
    """Tell if a pair's images and field are still those of its record."""
    name, pair, done = claim
    return done.is_in(run.folder / name, hash_inputs(pair.files(labels=run.config.labels)))


def _refuse(_: Pair | Loaded) -> NoReturn:
    raise ClusterError(f"{MOST} workers were killed at this pair; is memory short?")


def _require_alike(here: RunSettings, wanted: RunSettings) -> None:
    """Refuse a worker that would make other fields, or fields that no record could vouch for."""
    found, expected = here.model_dump(), wanted.model_dump()
    for key, value in found.items():
        if value != expected[key]:
            raise ClusterError(
                f"{platform.node()}: this worker has {key} {value}, another one has "
                f"{expected[key]}; choose workers that are alike, by their queue or constraint"
            )
