"""An experiment, from its file to its tables."""

from pathlib import Path

from l2r.console import progress
from pipeline.experiment.config import ExperimentConfig
from pipeline.experiment.jobs import do, runs_of
from pipeline.experiment.results import CurvePoint, RunResult, read_curves, read_result
from pipeline.experiment.tables import write_tables
from pipeline.workdir import open_folder


def experiment(config: ExperimentConfig, folder: Path) -> str:
    """Do all jobs that are not done yet; the tables are written anew after each.

    Returns:
        The table in Markdown.

    Raises:
        L2RError: a job failed; what was done before is kept, and its tables are written.
    """
    open_folder(folder)
    runs = list(runs_of(config, folder))
    results: list[RunResult] = []
    curves: list[CurvePoint] = []
    table = ""
    with progress(len(runs), "experiment") as advance:
        for run in runs:
            do(config, run)
            results.append(read_result(run))
            curves += read_curves(run)
            table = write_tables(config, results, curves, folder)
            advance(f"{run.system.name}, seed {run.seed}")
    return table
