"""The default run file under torch's profiler: the table, starts of kernels, and waits."""

from collections.abc import Iterable, Iterator
from functools import partial

from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEventAvg
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
    operations = sum(event.count for event in averages if event.key.startswith("aten::"))
    return {"device ms": device_ms(averages), "operations": operations, **counts}


def device_ms(averages: Iterable[FunctionEventAvg]) -> float:
    """Milliseconds of kernels and copies on the GPU.

    Each counts once: the operation that begins a kernel has its time too, and so has the bar of a
    marked block, such as a step of an optimiser.
    """
    kernels = (
        event
        for event in averages
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation
    )
    return sum(event.self_device_time_total for event in kernels) / 1e3
