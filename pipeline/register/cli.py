"""The commands that register and look at what was made: run, pair, check."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l2r.cluster.option import ClusterOption
from l2r.console import one_line_errors
from pipeline.options import Overrides
from pipeline.register.words import AffineMode

if TYPE_CHECKING:
    from pipeline.register.request import Job

app = typer.Typer()
PANEL = "Register"

TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="a task of l2r/tasks, or the path of a task file",
        show_default="the challenge's whose list is mounted, else the run file's, else lumir24",
    ),
]
SplitOption = Annotated[
    str, typer.Option("--split", help="validation, test, training, or a key of the JSON file")
]
RunFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="run file, or the name of one in configs/",
        show_default="t1_default for T1-weighted brains, any_default for others",
    ),
]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:n")]
TimeBudget = Annotated[
    float | None,
    typer.Option(min=1, metavar="SECONDS", help="wall time per pair", show_default="no limit"),
]
ImageFolder = Annotated[
    Path | None,
    typer.Option("--input", help="folder of the images", show_default="the list's folder"),
]


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta run --task aseg --dataset sample/SAMPLE_dataset.json",
)
def run(  # noqa: PLR0913 - the options of the command
    *,
    config: RunFile = None,
    task: TaskOption = None,
    dataset: Annotated[
        Path | None,
        typer.Option(help="pair list", show_default="where the challenges mount it"),
    ] = None,
    images: ImageFolder = None,
    output: Annotated[
        Path | None, typer.Option(help="folder of the fields", show_default="./output")
    ] = None,
    split: SplitOption = "validation",
    device: DeviceName = "auto",
    limit: Annotated[
        int | None, typer.Option(min=1, help="only the first pairs", show_default="all")
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="only part I of N (of the first pairs)", show_default="all"
        ),
    ] = None,
    affine: Annotated[
        AffineMode | None,
        typer.Option(
            help="affine map before the network, composed with the field",
            show_default="the run file's, else off",
        ),
    ] = None,
    time_budget: TimeBudget = None,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option(help="keep what the same run has made before")] = True,
    save: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS",
            help="warped,inverse,network-inverse,itk,json: warped images, ITK's transforms, "
            "sidecars",
            show_default="fields alone",
        ),
    ] = None,
    save_to: Annotated[
        Path | None, typer.Option(help="their folder", show_default="OUTPUT_derivatives")
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="make pages to look at, in OUTPUT_report")
    ] = False,
    cluster: ClusterOption = None,
) -> None:
    """Register every pair of a list and write the fields that its scorer accepts.

    Exit code: 0 all is done; 1 some pairs failed, zero fields stand in, or no step improved some
    fields; 2 nothing can be done.
    """
    with one_line_errors():
        _refuse_unreadable(task, dataset)
        from pipeline.register.request import (  # noqa: PLC0415 - nibabel
            RunRequest,
            resolve,
            with_saving,
        )

        changes = (*(overrides or ()), *([f"affine={affine}"] if affine else []))
        job = resolve(
            RunRequest(
                config=config,
                task=task,
                dataset=dataset,
                input=images,
                output=output,
                split=split,
                limit=limit,
                shard=shard,
                overrides=changes,
            )
        )
        if not job.pairs:
            typer.echo(f"shard {job.shard}: none of the {len(job.others)} pairs is left for it")
            return
        if save is not None:
            job = with_saving(job, save, save_to)
        if report:
            from pipeline.register.report import check_report  # noqa: PLC0415

            check_report(job)
        _register(job, device, time_budget, resume=resume, report=report, cluster=cluster)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta pair ct_0.nii.gz pet_0.nii.gz ct_1.nii.gz pet_1.nii.gz field.nii.gz",
)
def pair(
    paths: Annotated[list[Path], typer.Argument(help="CT PET CT PET FIELD, see above")],
    *,
    config: RunFile = None,
    task: Annotated[str, typer.Option(help="the task of the images")] = "psmareg26_test",
    device: DeviceName = "auto",
    time_budget: TimeBudget = None,
) -> None:
    """Register one pair of PET/CT visits: fixed CT and PET, moving CT and PET, the field to write.

    This is how PSMAReg calls a container: five paths and no command mean the same. The CTs are
    registered; the PETs must be there. Nothing but the field is written.

    Exit code: 0 done; 1 it failed, a zero field stands in, or no step improved the field; 2 nothing
    can be done.
    """
    from pipeline.register.request import resolve_visits  # noqa: PLC0415 - numpy and nibabel

    with one_line_errors():
        _register(resolve_visits(paths, task, config), device, time_budget, resume=False)


def _refuse_unreadable(task: str | None, dataset: Path | None) -> None:
    """Name a missing file, or a typo in it, before numpy and nibabel are loaded."""
    from l2r.errors import DatasetError, TaskError  # noqa: PLC0415
    from l2r.schema import read_json, read_toml  # noqa: PLC0415

    if task is not None and task.endswith(".toml"):
        read_toml(Path(task), TaskError)
    if dataset is not None:
        read_json(dataset, DatasetError)


def with_command(words: list[str]) -> list[str]:
    """The words of a command line, with `pair` before paths that come without a command."""
    first = words[0] if words else ""
    return ["pair", *words] if "/" in first or first.endswith((".nii.gz", ".nii")) else words


def _register(
    job: "Job",
    device: str,
    time_budget: float | None,
    *,
    resume: bool,
    report: bool = False,
    cluster: str | None = None,
) -> None:
    from pipeline.register.command import register  # noqa: PLC0415 - torch

    counts = register(job, device, time_budget, resume=resume, cluster=cluster)
    typer.echo(f"{', '.join(f'{n} {state}' for state, n in counts.items())} in {job.folder}")
    if report:
        from pipeline.register.report import report_of  # noqa: PLC0415

        typer.echo(report_of(job, cluster))
    if any(counts[status] for status in ("unimproved", "fallback", "failed")):
        raise typer.Exit(1)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta check output --task lumir24 --dataset LUMIR_dataset.json",
)
def check(
    submission: Annotated[Path, typer.Argument(help="folder or zip of displacement fields")],
    *,
    dataset: Annotated[Path, typer.Option(help="pair list that the scorer will use")],
    task: Annotated[str, typer.Option(help="a task of l2r/tasks, or a task file")] = "lumir24",
    images: ImageFolder = None,
    split: SplitOption = "validation",
) -> None:
    """Say before the upload whether the scorer would accept a submission.

    Exit code: 0 it would; 1 it would not, or the units are wrong; 2 it cannot be checked.
    """
    with one_line_errors():
        from l2r.dataset import read_pairs  # noqa: PLC0415

        listed = read_pairs(dataset, images or dataset.parent, split)  # before numpy
        from l2r.console import progress  # noqa: PLC0415
        from l2r.submission import field_names, open_submission  # noqa: PLC0415
        from l2r.task import load_task  # noqa: PLC0415

        rules = load_task(task)
        pairs = field_names(rules.field, listed)
        from l2r.check import ALL, OTHERS, check_submission  # noqa: PLC0415 - scipy

        kinds: Counter[str] = Counter()
        whole = []
        with progress(len(pairs) + 1, "check") as advance:
            for name, findings in check_submission(open_submission(submission), rules, pairs):
                kinds.update(finding.kind for finding in findings)
                texts = [f"{finding.kind}: {finding.text}" for finding in findings]
                line = f"{name}: {'; '.join(texts) or 'good'}"
                if name in (ALL, OTHERS):
                    whole.append(line)
                else:
                    advance(line)
            advance("; ".join(whole) or f"{ALL}: good")
        counts = f"{submission}: {kinds['problem']} problems, {kinds['warning']} warnings"
        if kinds["problem"]:
            typer.echo(f"{counts}; {rules.name} would not score this, or not as it is meant")
            raise typer.Exit(1)
        typer.echo(f"{counts}; {rules.name} would accept all {len(pairs)} fields")
