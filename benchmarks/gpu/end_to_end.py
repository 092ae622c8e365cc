"""A list from files to files: wall time, and the share of it in which the GPU works."""

import json
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pynvml

from benchmarks.gpu.presets import CONFIGS, run
from benchmarks.gpu.record import Measurement, Row, Setting
from l2r.submission import MANIFEST

PAIRS = 6
_EVERY_S = 0.1


def measurements(setting: Setting) -> Iterator[Measurement]:
    """The default run file over the list, then the network alone."""
    for name in ("t1_default", "t1_network"):
        yield Measurement(name, partial(over_list, setting, name))


def over_list(setting: Setting, name: str) -> Row:
    """Register all pairs in one run."""
    with utilisation(setting) as samples:
        job, wall = run(setting, CONFIGS / f"{name}.toml", limit=PAIRS)
    pairs = json.loads((job.folder / MANIFEST).read_text())["pairs"].values()
    computing = sum(pair["seconds"]["predict"] + pair["seconds"]["refine"] for pair in pairs)
    files = sum(pair["seconds"]["read"] + pair["seconds"]["write"] for pair in pairs)
    return {
        "pairs": len(pairs),
        "wall s a pair": wall / len(pairs),
        "computing": f"{computing / wall:.0%} of the wall time",
        "GPU at work": f"{statistics.mean(samples):.0f} %" if samples else "",
        "reading and writing hidden": f"{max(0.0, (computing + files - wall) / files):.0%}",
    }


@contextmanager
def utilisation(setting: Setting) -> Iterator[list[int]]:
    """Collect the driver's percentages of time with a kernel running, while the block runs."""
    samples: list[int] = []
    done = threading.Event()
    thread = threading.Thread(target=_collect, args=(setting.device.index or 0, samples, done))
    if setting.on_gpu:
        thread.start()
    try:
        yield samples
    finally:
        done.set()
        if setting.on_gpu:
            thread.join()


def _collect(gpu: int, samples: list[int], done: threading.Event) -> None:
    """Append until `done`; nothing where the driver does not say: the times count without it."""
    with suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(gpu)
        while not done.wait(_EVERY_S):
            samples.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
