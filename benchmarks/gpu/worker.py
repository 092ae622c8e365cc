"""The process that measures: parts one after the other, until the time is over."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.record import Measurement, Part, Setting, append, write_tables
from l2r.phantom import write_phantom
from pipeline.device import find_device

ROOT = Path(__file__).parents[2]
SMALL = (48, 60, 54)
LUMIR = (160, 224, 192)


def work(output: Path, device: str, first: int, end: float) -> None:
    """Measure the parts from `first` on; `end` is in seconds of `time.time`."""
    with tempfile.TemporaryDirectory() as scratch:
        setting = setting_of(find_device(device), output, Path(scratch))
        for number in range(first, len(PARTS)):
            until = time.time() + share(PARTS[number:], end - time.time())
            append(output, {"part": PARTS[number].title, "number": number, "until": until})
            measure_part(PARTS[number], replace(setting, until=until))
            write_tables(output)


def setting_of(device: torch.device, output: Path, scratch: Path) -> Setting:
    """The sample brains on a GPU, small phantoms on a CPU."""
    if device.type == "cuda":
        dataset = ROOT / "sample" / "SAMPLE_dataset.json"
        return Setting(device, "aseg", dataset, LUMIR, output, scratch)
    dataset = write_phantom(scratch / "phantom", shape=SMALL, subjects=3)
    task = str(dataset.with_name("phantom.toml"))
    return Setting(device, task, dataset, SMALL, output, scratch)


def share(left: tuple[Part, ...], seconds: float) -> float:
    """The time of the first of the parts that are left."""
    return seconds * left[0].seconds / sum(part.seconds for part in left)


def measure_part(part: Part, setting: Setting) -> None:
    """Write a row per measurement, the failed ones with their reason."""
    for measurement in _in_time(part, setting):
        try:
            found = dict(measurement.run())
        except Exception as error:  # noqa: BLE001 - one failure must not cost the others
            found = {"failed": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
        append(setting.output, {"part": part.title, "row": measurement.name, "found": found})
        print(part.title, "|", measurement.name, found, flush=True)


def _in_time(part: Part, setting: Setting) -> Iterator[Measurement]:
    for measurement in part.measurements(setting):
        if time.time() > setting.until:
            return
        yield measurement
