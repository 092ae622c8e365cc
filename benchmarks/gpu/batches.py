"""Pairs in one batch: the network of the default weights, at its resolution of 2 mm and of 1 mm."""

from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.gpu.record import Measurement, Row, Setting
from benchmarks.gpu.timing import measure, tf32
from benchmarks.networks import CONFIGS

SIZES = (1, 2, 4, 8)


def measurements(setting: Setting) -> Iterator[Measurement]:
    """Small batches first."""
    for shrink in (2, 1):
        for size in SIZES:
            title = f"1/{shrink} of the resolution, {size} at once"
            yield Measurement(title, partial(forward, setting, shrink, size))


def forward(setting: Setting, shrink: int, size: int) -> Row:
    """Time of a pair in a batch."""
    model = CONFIGS["pyramid"].build().eval().to(setting.device)
    grid = model.grid.nearest(tuple(length // shrink for length in setting.shape))
    fixed, moving = torch.rand(2, size, 1, *grid, device=setting.device)
    with torch.inference_mode(), tf32(on=True):
        found = measure(lambda: model(fixed, moving), setting.device)
    return {"ms a pair": found["ms"] / size, **found}
