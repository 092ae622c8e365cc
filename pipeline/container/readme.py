"""The `README.txt` of a submission, from what `verify` has measured."""

from pathlib import PurePosixPath

from pipeline.container.contracts import Contract
from pipeline.container.record import Verification

CALLS = {
    "list": "none; the container finds the pair list and the images where they are mounted",
    "arguments": (
        "five paths, one pair per run: baseline (fixed) CT, baseline PET, follow-up (moving) CT, "
        "follow-up PET, output field"
    ),
}
DETERMINISM = (
    "seeded; the same images on the same kind of processor or GPU, with the same number of "
    "threads, give the same bytes; other hardware rounds differently"
)
LABELS = (
    *("Image", "Load", "Run", "Arguments", "Measured on", "CPUs", "RAM", "GPU memory"),
    *("Seconds per pair", "Nondeterminism", "Predictions"),
)
"""What the organisers ask for, a line each."""


def readme(report: Verification, contract: Contract, archive: str) -> str:
    """Write the text.

    Args:
        report: the measurements.
        contract: the organiser's.
        archive: file name of the packed image.
    """
    machine, seconds = report.machine, list(report.seconds.values())
    device = report.device_gib
    lines = (
        f"{archive}: {report.image}, {report.image_id}",
        f"docker load --input {archive}",
        command_line(contract, report.image),
        CALLS[contract.call],
        f"{machine.processor}, {machine.gpu or 'no GPU'}, {machine.engine}",
        f"{machine.cpus}",
        f"{report.peak_gib:.2f} GiB at most, of {report.memory_gib:.3g} GiB allowed",
        "none used" if device is None else f"{device:.2f} GiB at most",
        f"{sum(seconds) / len(seconds):.1f} on average, {max(seconds):.1f} at most",
        DETERMINISM,
        f"fields as this image wrote them on this machine, {len(seconds)} in all",
    )
    title = f"Regatta {report.regatta}, {report.contract}"
    told = (f"{label}: {line}" for label, line in zip(LABELS, lines, strict=True))
    return "\n".join([title, "", *told, ""])


def missing(text: str) -> list[str]:
    """Labels that a README does not have, or with nothing after them."""
    said = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    return [label for label in LABELS if not said.get(label, "").strip()]


def command_line(contract: Contract, image: str) -> str:
    """The organiser's `docker run`, with the paths of the host in capital letters."""
    words = ["docker run --rm", "--ipc=host", f"--memory {contract.memory_gib}g"]
    words += ['--gpus "device=0"'] if contract.gpu else []
    words += ["--user $(id -u):$(id -g) --network=none"] if contract.user == "caller" else []
    words += [_mount("INPUT", contract.input, ":ro"), _mount("OUTPUT", contract.output, "")]
    words += [_mount("LIST", contract.dataset, ":ro")] if contract.dataset else []
    paths = [contract.input / name for name in ("CT0", "PET0", "CT1", "PET1")]
    arguments = (
        map(str, (*paths, contract.output / "FIELD")) if contract.call == "arguments" else ()
    )
    return " ".join([*words, image, *arguments])


def _mount(source: str, target: PurePosixPath, suffix: str) -> str:
    return f"-v {source}:{target}{suffix}"
