"""The command line: each command parses, calls one function, and prints."""

import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors
from pipeline import weights

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(weights.app, name="weights")

Task = Annotated[str | None, typer.Option(help="a task of l2r/tasks, or the path of a task file")]
Split = Annotated[str, typer.Option(help="validation, test, training, or a key of the JSON file")]
Images = Annotated[Path | None, typer.Option("--input", help="images (else the list's folder)")]


@app.callback()
def main() -> None:
    """Regatta: a Learn2Reg pair list in, compliant displacement fields out."""


@app.command()
def run(  # noqa: PLR0913 - the options of the command
    *,
    config: Annotated[
        Path | None, typer.Option(help="run file (else configs/lumir_io.toml)")
    ] = None,
    task: Task = None,
    dataset: Annotated[
        Path | None, typer.Option(help="pair list (else where the challenges mount it)")
    ] = None,
    images: Images = None,
    output: Annotated[Path | None, typer.Option(help="fields (else ./output)")] = None,
    split: Split = "validation",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:n")] = "auto",
    limit: Annotated[int | None, typer.Option(min=1, help="only the first pairs")] = None,
    time_budget: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="wall time per pair")
    ] = None,
    resume: Annotated[bool, typer.Option(help="keep what the same run has made before")] = True,
) -> None:
    """Register every pair of a list and write the fields that its scorer accepts.

    Exit code: 0 all is done; 1 some pairs failed, zero fields stand in; 2 nothing can be done.
    """
    from pipeline.request import Request, resolve  # noqa: PLC0415 - numpy and nibabel

    with one_line_errors():
        what = resolve(Request(config, task, dataset, images, output, split, limit))
        # Read when torch is loaded: threads that wait for work leave the core to others.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        from pipeline.register import How, register  # noqa: PLC0415 - torch

        counts = register(what, How(device, resume, time_budget))
        typer.echo(f"{', '.join(f'{n} {state}' for state, n in counts.items())} in {what.output}")
        if counts["fallback"] or counts["failed"]:
            raise typer.Exit(1)


@app.command()
def train(  # noqa: PLR0913 - the options of the command
    config: Annotated[Path, typer.Argument(help="training file, see configs/train")],
    *,
    data: Annotated[
        Path | None, typer.Option(help="pair list with training images, or a folder of images")
    ] = None,
    maps: Annotated[
        Path | None, typer.Option(help="folder of label maps that images are made from")
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="pair list to judge by (else the validation pairs of --data)"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="weights and checkpoints (else output/train/<config>)")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:n")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="go on from the checkpoint")] = False,
    time_budget: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="save and leave after so long")
    ] = None,
) -> None:
    """Train or fine-tune a network.

    Exit code: 0 all epochs are done; 1 the time was up before, or it was stopped: add --resume to
    go on; 2 it cannot be begun or cannot go on.
    """
    with one_line_errors():
        from pipeline import train as job  # noqa: PLC0415 - torch

        place = output or Path("output/train") / config.stem
        request = job.TrainRequest(
            config, data, place, maps, validation, device, resume, time_budget
        )
        state = job.train(request)
        typer.echo(f"{state}; weights and log are in {place}")
        if state != "finished":
            raise typer.Exit(1)


@app.command()
def check(
    submission: Annotated[Path, typer.Argument(help="folder or zip of displacement fields")],
    *,
    dataset: Annotated[Path, typer.Option(help="pair list that the scorer will use")],
    task: Annotated[str, typer.Option(help="a task of l2r/tasks, or a task file")] = "lumir24",
    images: Images = None,
    split: Split = "validation",
) -> None:
    """Say before the upload whether the scorer would accept a submission.

    Exit code: 0 it would; 1 it would not, or the units are wrong; 2 it cannot be checked.
    """
    from l2r.check import check_submission  # noqa: PLC0415
    from l2r.console import progress  # noqa: PLC0415
    from l2r.dataset import read_pairs  # noqa: PLC0415
    from l2r.submission import field_names, open_submission  # noqa: PLC0415
    from l2r.task import load_task  # noqa: PLC0415

    with one_line_errors():
        rules = load_task(task)
        pairs = field_names(rules.field, read_pairs(dataset, images or dataset.parent, split))
        found = []
        with progress(len(pairs), "check") as advance:
            for name, findings in check_submission(open_submission(submission), rules, pairs):
                found += findings
                texts = [f"{finding.kind}: {finding.text}" for finding in findings]
                advance(f"{name}: {'; '.join(texts) or 'good'}")
        count = Counter(finding.kind for finding in found)
        told = (
            f"{submission}: {count['problem']} problems, {count['warning']} warnings; {rules.name}"
        )
        if count["problem"]:
            typer.echo(f"{told} would not score this, or not as it is meant")
            raise typer.Exit(1)
        typer.echo(f"{told} would accept all {len(pairs)} fields")
