"""The machine, and the two ceilings: bytes and operations per second."""

import platform
from collections.abc import Callable, Iterator
from functools import partial

import torch

from benchmarks.gpu.record import Measurement, Row, Setting
from benchmarks.gpu.timing import measure, tf32
from benchmarks.machine import describe
from pipeline.device import describe_device
from pipeline.doctor.driver import find_driver


def measurements(setting: Setting) -> Iterator[Measurement]:
    """Names and versions first."""
    yield Measurement("versions", partial(_versions, setting))
    yield Measurement("copy within the device", partial(_copy, setting))
    if setting.on_gpu:
        for pinned in (False, True):
            kind = "pinned" if pinned else "pageable"
            yield Measurement(f"upload, {kind}", partial(_upload, setting, pinned))
            yield Measurement(f"download, {kind}", partial(_download, setting, pinned))
        yield Measurement("start of a kernel", partial(_start, setting))
    for kind, on, dtype in (
        ("float32", False, torch.float32),
        ("TF32", True, torch.float32),
        ("bfloat16", True, torch.bfloat16),
    ):
        yield Measurement(f"matrix product, {kind}", partial(_product, setting, on, dtype))


def _versions(setting: Setting) -> Row:
    return {
        "device": describe_device(setting.device),
        "driver": str(find_driver()),
        "CUDA": torch.version.cuda,
        "cuDNN": torch.backends.cudnn.version(),
        "Python": platform.python_version(),
        "host": describe(),
    }


def _bytes(setting: Setting) -> int:
    return 2**30 if setting.on_gpu else 2**26


def _rate(call: Callable[[], object], setting: Setting, size: int) -> Row:
    found = measure(call, setting.device)
    return {"GB/s": size / found["ms"] / 1e6, "ms": found["ms"]}


def _copy(setting: Setting) -> Row:
    one = torch.zeros(_bytes(setting), dtype=torch.uint8, device=setting.device)
    other = torch.empty_like(one)
    return _rate(lambda: other.copy_(one), setting, 2 * one.numel())


def _upload(setting: Setting, pinned: bool) -> Row:  # noqa: FBT001
    host = torch.zeros(160 * 224 * 192, pin_memory=pinned)
    return _rate(lambda: host.to(setting.device, non_blocking=pinned), setting, 4 * host.numel())


def _download(setting: Setting, pinned: bool) -> Row:  # noqa: FBT001
    there = torch.zeros(3 * 160 * 224 * 192, device=setting.device)
    host = torch.empty(there.shape, pin_memory=pinned)
    return _rate(lambda: host.copy_(there, non_blocking=pinned), setting, 4 * host.numel())


def _start(setting: Setting) -> Row:
    small = torch.zeros(8, device=setting.device)
    found = measure(lambda: [small.add_(1) for _ in range(1000)], setting.device)
    return {"us": found["ms"]}


def _product(setting: Setting, on: bool, dtype: torch.dtype) -> Row:  # noqa: FBT001
    size = 8192 if setting.on_gpu else 512
    matrix = torch.randn(size, size, device=setting.device).to(dtype)
    with tf32(on=on):
        found = measure(lambda: matrix @ matrix, setting.device)
    return {"TFLOP/s": 2 * size**3 / found["ms"] / 1e9, "ms": found["ms"]}
