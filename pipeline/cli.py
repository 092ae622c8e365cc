"""The command line: each command parses, calls one function, and prints."""

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l2r.console import one_line_errors
from pipeline.container import cli as container
from pipeline.weights import cli as weights

if TYPE_CHECKING:
    from pipeline.register.request import Resolved

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(weights.app, name="weights")
app.add_typer(container.app, name="container")

Task = Annotated[str | None, typer.Option(help="a task of l2r/tasks, or the path of a task file")]
Split = Annotated[str, typer.Option(help="validation, test, training, or a key of the JSON file")]
Config = Annotated[
    Path | None,
    typer.Option(help="run file (else t1_default.toml for T1 brains, any_default.toml for others)"),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:n")]
TimeBudget = Annotated[
    float | None, typer.Option(min=1, metavar="SECONDS", help="wall time per pair")
]
Images = Annotated[Path | None, typer.Option("--input", help="images (else the list's folder)")]


@app.callback()
def main() -> None:
    """Regatta: a Learn2Reg pair list in, compliant displacement fields out."""


@app.command()
def run(  # noqa: PLR0913 - the options of the command
    *,
    config: Config = None,
    task: Task = None,
    dataset: Annotated[
        Path | None, typer.Option(help="pair list (else where the challenges mount it)")
    ] = None,
    images: Images = None,
    output: Annotated[Path | None, typer.Option(help="fields (else ./output)")] = None,
    split: Split = "validation",
    device: Device = "auto",
    limit: Annotated[int | None, typer.Option(min=1, help="only the first pairs")] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="only part I of N (of the first pairs)")
    ] = None,
    time_budget: TimeBudget = None,
    resume: Annotated[bool, typer.Option(help="keep what the same run has made before")] = True,
) -> None:
    """Register every pair of a list and write the fields that its scorer accepts.

    Exit code: 0 all is done; 1 some pairs failed, zero fields stand in; 2 nothing can be done.
    """
    from pipeline.register.request import Request, resolve  # noqa: PLC0415 - numpy and nibabel

    with one_line_errors():
        what = resolve(Request(config, task, dataset, images, output, split, limit, shard))
        if not what.pairs:
            typer.echo(f"shard {what.shard}: none of the {len(what.others)} pairs is left for it")
            return
        _register(what, device, time_budget, resume=resume)


@app.command()
def pair(
    paths: Annotated[list[Path], typer.Argument(help="CT PET CT PET FIELD, see above")],
    *,
    config: Config = None,
    task: Annotated[str, typer.Option(help="whose images they are")] = "psmareg26_test",
    device: Device = "auto",
    time_budget: TimeBudget = None,
) -> None:
    """Register one pair of PET/CT visits: fixed CT and PET, moving CT and PET, the field to write.

    This is how PSMAReg calls a container: five paths and no command mean the same. The CTs are
    registered; the PETs must be there. Nothing is written beside the field.

    Exit code: 0 done; 1 it failed, a zero field stands in; 2 nothing can be done.
    """
    from pipeline.register.request import resolve_paths  # noqa: PLC0415 - numpy and nibabel

    with one_line_errors():
        _register(resolve_paths(paths, task, config), device, time_budget, resume=False)


def with_command(words: list[str]) -> list[str]:
    """The words of a command line, with `pair` before paths that come without a command."""
    first = words[0] if words else ""
    return ["pair", *words] if "/" in first or first.endswith((".nii.gz", ".nii")) else words


def _register(what: "Resolved", device: str, time_budget: float | None, *, resume: bool) -> None:
    # Read when torch is loaded: threads that wait for work leave the core to others.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from pipeline.register.command import How, register  # noqa: PLC0415 - torch

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
        from pipeline.train.data import find_data  # noqa: PLC0415 - numpy and nibabel

        found = find_data(data, validation, maps)
        from pipeline.train import command as job  # noqa: PLC0415 - torch

        place = output or Path("output/train") / config.stem
        request = job.TrainRequest(config, found, place, device, resume, time_budget)
        state = job.train(request)
        typer.echo(f"{state}; weights and log are in {place}")
        if state != "finished":
            raise typer.Exit(1)


@app.command()
def landscape(  # noqa: PLR0913 - the options of the command
    config: Annotated[Path, typer.Argument(help="training file: objective, network, grid")],
    *,
    weights: Annotated[Path, typer.Option(help="the middle: a weights file, or a name")],
    dataset: Annotated[Path, typer.Option(help="pair list")],
    images: Images = None,
    output: Annotated[Path, typer.Option(help="table of losses")] = Path("landscape.csv"),
    limit: Annotated[int, typer.Option(min=1, help="mean over so many pairs")] = 2,
    points: Annotated[int, typer.Option(min=2, help="along each direction")] = 21,
    reach: Annotated[
        float, typer.Option(min=0, help="farthest, where 1 is as far as the weights are from zero")
    ] = 1.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:n")] = "auto",
) -> None:
    """Compute a training's losses around given weights, along two random directions.

    `python -m benchmarks.figures.landscape` draws such tables.

    Exit code: 0 the table is written; 2 it cannot be.
    """
    with one_line_errors():
        from l2r.dataset import read_pairs  # noqa: PLC0415

        pairs = read_pairs(dataset, images or dataset.parent)[:limit]
        from pipeline.train import landscape as job  # noqa: PLC0415 - torch

        job.landscape(job.LandscapeRequest(config, weights, pairs, reach, points, device), output)
        typer.echo(output)


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
    from l2r.check import ALL, OTHERS, check_submission  # noqa: PLC0415
    from l2r.console import progress  # noqa: PLC0415
    from l2r.dataset import read_pairs  # noqa: PLC0415
    from l2r.submission import field_names, open_submission  # noqa: PLC0415
    from l2r.task import load_task  # noqa: PLC0415

    with one_line_errors():
        rules = load_task(task)
        pairs = field_names(rules.field, read_pairs(dataset, images or dataset.parent, split))
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


@app.command()
def doctor(
    *,
    output: Annotated[
        Path | None, typer.Option(help="fields (else where a challenge mounts it, else ./output)")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:n")] = "auto",
) -> None:
    """Say whether a run can work here, and what to do if not; needs no arguments and no data.

    Exit code: 0 it can; 1 something is in the way; 2 an argument cannot be used.
    """
    from pipeline.doctor.examine import blocked, examine, plan_for, show  # noqa: PLC0415

    with one_line_errors():
        records = examine(plan_for(output, device))
        show(records)
        if blocked(records):
            raise typer.Exit(1)
