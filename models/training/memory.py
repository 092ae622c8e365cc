"""Memory that a training has needed so far."""

import torch

from l2r.machine import peak_memory_gib as peak_of_process


def peak_memory_gib(device: torch.device) -> float:
    """Peak of the device, or of the process where the device is the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return peak_of_process()
