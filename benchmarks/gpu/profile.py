"""The default run file under torch's profiler: the table, starts of kernels, and waits."""

from collections.abc import Iterator
from functools import partial

from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.presets import CONFIGS
from benchmarks.gpu.record import Measurement, Row, Setting
from pipeline.register.config import load_run
from pipeline.register.request import RunRequest, resolve
from pipeline.register.stages import build_stages, place

TABLE = "profile.txt"
COUNTED = ("LaunchKernel", "StreamSynchronize", "Memcpy HtoD", "Memcpy DtoH")
"""Parts of the names of what is counted."""


def measurements(setting: Setting) -> Iterator[Measurement]:
    """One pair, after a first one."""
    name = "t1_default" if setting.on_gpu else "t1_network"
    yield Measurement(f"{name}, {TABLE}", partial(profiled, setting, name))


def profiled(setting: Setting, name: str) -> Row:
    """Counts of what costs time between kernels."""
    job = resolve(RunRequest(task=setting.task, dataset=setting.dataset))
    config = load_run(CONFIGS / f"{name}.toml")
    stages = build_stages(config, job.task, setting.device)
    prepared = stages.prepare(next(iter(job.pairs.values())))

    def pair() -> None:
        place(stages.refine(stages.predict(prepared, None)))

    pair()
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * setting.on_gpu]
    with profile(activities=activities) as found:
        pair()
    averages = found.key_averages()
    order = "self_device_time_total" if setting.on_gpu else "self_cpu_time_total"
    text = averages.table(sort_by=order, row_limit=40, max_name_column_width=80)
    (setting.output / TABLE).write_text(text)
    counts = {part: sum(event.count for event in averages if part in event.key) for part in COUNTED}
    device_ms = sum(event.self_device_time_total for event in averages) / 1e3
    return {"device ms": device_ms, "operations": sum(e.count for e in averages), **counts}
