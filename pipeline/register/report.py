"""The report of a run, in a folder beside that of its fields."""

from pathlib import Path

from eval.inspection.command import ReportRequest, make_report
from l2r.errors import ConfigError
from pipeline.register.request import Job


def check_report(job: Job) -> None:
    """Refuse a report that cannot be made, before anything is registered.

    Raises:
        ConfigError: the caller wants one file and no other, or other shards have the other pairs.
    """
    if job.one_field:
        raise ConfigError("--report: this organiser wants the field and nothing besides")
    if job.shard is not None:
        raise ConfigError("--report: a shard has a part of the pairs; see `regatta report`")


def report_of(job: Job, cluster: str | None = None) -> Path:
    """Make the report of a job that is done, here or on a cluster, and return its index.

    Raises:
        OutputError: its folder holds something else, or cannot be written to.
    """
    pairs = list(job.pairs.values())
    output = job.folder.with_name(f"{job.folder.resolve().name}_report")
    root = pairs[0].fixed.root
    return make_report(ReportRequest([job.folder], job.task, pairs, root, output, cluster=cluster))
