"""The commands about the image that organisers receive."""

from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors, table_console

app = typer.Typer(no_args_is_help=True, help="Build the image, prove it, and pack it.")

ImageName = Annotated[str, typer.Argument(help="name of the image, e.g. regatta")]
ContractName = Annotated[
    str, typer.Option("--contract", help="lumir24, lumir25, psmareg26 or grand-challenge")
]


@app.command()
def build(
    *,
    tag: Annotated[str, typer.Option(help="name of the image")] = "regatta",
    base_image: Annotated[
        str | None, typer.Option(help="what it is built on (else the Dockerfile's)")
    ] = None,
    torch: Annotated[
        str | None, typer.Option(help="torch's build, cpu or cu126 for example")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="of the build, host for example (else the engine's)")
    ] = None,
) -> None:
    """Build the image of this repository.

    Exit code: 0 built; 2 it cannot be built.
    """
    from pipeline.container.build import BuildRequest, build_image, labels  # noqa: PLC0415 - docker

    with one_line_errors():
        wanted = BuildRequest(tag, {"BASE_IMAGE": base_image, "TORCH": torch, **labels()}, network)
        built = build_image(wanted, tell=lambda line: typer.echo(line, err=True))
        typer.echo(f"{built.name}: {built.size / 1e9:.2f} GB, {built.id}")


@app.command()
def verify(  # noqa: PLR0913 - the options of the command
    image: ImageName,
    *,
    contract: ContractName,
    dataset: Annotated[
        Path | None, typer.Option(help="pair list (else a made-up pair on the challenge's grid)")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--input", help="images (else the list's folder)")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="only the first pairs")] = None,
    output: Annotated[
        Path | None, typer.Option(help="keep the fields and the record here, for package")
    ] = None,
    memory: Annotated[
        float | None, typer.Option(min=0.1, metavar="GIB", help="limit (else the organiser's)")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="folder of weights for /opt/ml/model, grand-challenge only")
    ] = None,
) -> None:
    """Run an image exactly as an organiser does and check all that it writes.

    Exit code: 0 it would be accepted; 1 it would be rejected; 2 it could not be tried.
    """
    from pipeline.container.inputs import PairSource  # noqa: PLC0415
    from pipeline.container.record import summary_table  # noqa: PLC0415
    from pipeline.container.verify import VerifyRequest, verify  # noqa: PLC0415 - docker

    with one_line_errors():
        data = PairSource(dataset, images or dataset.parent, limit) if dataset else None
        report = verify(VerifyRequest(image, contract, data, output, memory, model))
        table_console().print(summary_table(report))
        count = len(report.problems)
        typer.echo(f"{image}: {contract} would {'reject' if count else 'accept'} it")
        if count:
            raise typer.Exit(1)


@app.command()
def package(
    image: ImageName,
    *,
    contract: ContractName,
    verified: Annotated[Path, typer.Option(help="the folder that verify --output has left")],
    output: Annotated[Path, typer.Option(help="folder for what is handed in")] = Path(),
    user: Annotated[str | None, typer.Option(help="your name at the challenge")] = None,
    model: Annotated[
        Path | None, typer.Option(help="folder of weights for /opt/ml/model, grand-challenge only")
    ] = None,
) -> None:
    """Write what is handed in, and check it as the platform does.

    Exit code: 0 it would be accepted; 1 it would be rejected; 2 it cannot be written.
    """
    from pipeline.container.package import PackageRequest, pack  # noqa: PLC0415 - docker

    with one_line_errors():
        written, findings = pack(PackageRequest(image, contract, verified, output, user, model))
        for path in written:
            typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
        for finding in findings:
            typer.echo(f"{finding.kind}: {finding.name}: {finding.text}")
        if findings:
            raise typer.Exit(1)
