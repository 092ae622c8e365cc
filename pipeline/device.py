"""The processor or the GPU that computes."""

import torch

from l2r.errors import ConfigError
from l2r.machine import usable_cores


def find_device(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `cuda:n` as a device that this machine has.

    Raises:
        ConfigError: no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in {"cpu", "cuda"}:
        raise ConfigError(f"--device {name}: no such device; give auto, cpu, cuda or cuda:n")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"--device {name}: torch sees {torch.cuda.device_count()} GPUs; "
            "try --device cpu, or give the container its GPU (docker run --gpus all)"
        )
    return device


def describe_device(device: torch.device) -> str:
    """Name of the GPU, or the processor's kind and number of threads, which decide last bits."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"


def file_threads(device: torch.device) -> int:
    """Number of threads that read files, and of those that write them, while a device computes.

    A processor has other things to do; beside a GPU half of its cores pack and unpack, but no more
    than keep a GPU busy.
    """
    if device.type == "cpu":
        return 1
    return max(1, min(4, usable_cores() // 2))
