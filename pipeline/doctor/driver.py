"""NVIDIA's driver, asked through NVML: torch says little about one that it cannot use."""

import ctypes
import re
from dataclasses import dataclass
from pathlib import Path

_MODULE = Path("/proc/driver/nvidia/version")
_FOUND = re.compile(r"found version (\d+)")
_VERSION = re.compile(r"\b\d{3}\.\d+(?:\.\d+)?\b")


@dataclass(frozen=True)
class Driver:
    """The driver of this machine."""

    version: str | None
    """For instance `545.23.06`."""
    cuda: tuple[int, int] | None
    """The newest CUDA that it was made for."""
    gpus: int
    """How many can be seen from here; a container may have been given none."""
    trouble: str | None = None
    """What NVIDIA's library said when it could not be asked."""

    def __str__(self) -> str:
        cuda = f" (CUDA {self.cuda[0]}.{self.cuda[1]})" if self.cuda else ""
        return f"driver {self.version or 'of unknown version'}{cuda}"


def find_driver() -> Driver | None:
    """The driver, or None where nothing of one is to be seen."""
    module = module_version()
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return Driver(module, None, 0) if module else None
    if code := library.nvmlInit_v2():
        library.nvmlErrorString.restype = ctypes.c_char_p
        told = library.nvmlErrorString(code).decode()
        return Driver(module, None, 0, told) if module else None
    version, cuda, gpus = ctypes.create_string_buffer(80), ctypes.c_int(), ctypes.c_uint()
    library.nvmlSystemGetDriverVersion(version, len(version))
    library.nvmlSystemGetCudaDriverVersion_v2(ctypes.byref(cuda))
    library.nvmlDeviceGetCount_v2(ctypes.byref(gpus))
    library.nvmlShutdown()
    return Driver(version.value.decode() or module, as_version(cuda.value), gpus.value)


def module_version(path: Path = _MODULE) -> str | None:
    """Version of the kernel's module, which containers without a GPU see too."""
    try:
        found = _VERSION.search(path.read_text())
    except OSError:
        return None
    return found[0] if found else None


def as_version(number: int) -> tuple[int, int] | None:
    """CUDA's way to write a version, 12030 for 12.3; 0 is none."""
    return (number // 1000, number % 1000 // 10) if number else None


def cuda_in(text: str) -> tuple[int, int] | None:
    """The driver's CUDA in what torch says of a driver that is too old."""
    found = _FOUND.search(text)
    return as_version(int(found[1])) if found else None
