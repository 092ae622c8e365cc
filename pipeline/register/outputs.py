"""The folders of a run over a list: made ready before, completed after."""

from collections.abc import Collection
from pathlib import Path

from l2r.console import progress
from l2r.disk import make_folder
from l2r.submission import MANIFEST
from pipeline.register.ledger import WHOLE, Ledger
from pipeline.register.manifest import RunSettings
from pipeline.register.request import Job
from pipeline.register.save import SaveTransforms
from pipeline.register.stages import Stages
from pipeline.workdir import open_folder


def open_outputs(job: Job) -> Path:
    """Make the folder of the fields ready, and that of the files besides.

    Raises:
        OutputError: one cannot be made or written to.
    """
    own: Collection[str] = {_journal(job)} if job.shard else {WHOLE, MANIFEST}
    folder = open_folder(job.folder, {*job.pairs, *own})
    if job.save is not None:
        make_folder(job.save.folder)
    return folder


def open_ledger(job: Job, folder: Path, settings: RunSettings) -> Ledger:
    """The records of a run, with those of earlier ones."""
    return Ledger(folder, settings, _journal(job), {*job.pairs, *job.others})


def save_files(job: Job, folder: Path, stages: Stages) -> None:
    """Save what is wanted besides the fields."""
    if job.save is not None:
        save = SaveTransforms(job.task, job.save, folder, stages)
        with progress(len(job.pairs), "save") as advance:
            save(job.pairs, advance)


def _journal(job: Job) -> str:
    return job.shard.journal if job.shard else WHOLE
