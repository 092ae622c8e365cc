"""Steps of training files, with their data, on the sample; networks begin without weights."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from benchmarks.gpu.record import Measurement, Row, Setting
from benchmarks.training import measure_steps

ROOT = Path(__file__).parents[2]
FILES = ("lumir/baseline", "default", "t1_passes", "oasis/tm_tvf_lddmm")
STEPS = 5


def measurements(setting: Setting) -> Iterator[Measurement]:
    """The LUMIR baseline, the default weights, its passes; on a GPU only."""
    for name in FILES if setting.on_gpu else ():
        yield Measurement(name, partial(steps, setting, name))


def steps(setting: Setting, name: str) -> Row:
    """Seconds of a step, and shares of it."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(setting.device)
    path = ROOT / "configs" / "train" / f"{name}.toml"
    found = measure_steps(path, ROOT / "sample" / "labelsVal", STEPS, setting.device)
    return {"s a step": found["step"], **found}
