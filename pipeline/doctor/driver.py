"""NVIDIA's driver, asked through NVML: torch says little about one that it cannot use."""

import re
from dataclasses import dataclass
from pathlib import Path

import pynvml

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
    """NVML's message if it could not be asked."""

    def __str__(self) -> str:
        cuda = f" (CUDA {self.cuda[0]}.{self.cuda[1]})" if self.cuda else ""
        return f"driver {self.version or 'of unknown version'}{cuda}"


def find_driver() -> Driver | None:
    """Find the driver; None where there is no trace of one."""
    module = module_version()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        # Without the library there is nothing to report but the kernel's module.
        absent = isinstance(error, pynvml.NVMLError_LibraryNotFound)
        return Driver(module, None, 0, None if absent else str(error)) if module else None
    try:
        cuda = as_version(pynvml.nvmlSystemGetCudaDriverVersion_v2())
        return Driver(pynvml.nvmlSystemGetDriverVersion(), cuda, pynvml.nvmlDeviceGetCount())
    finally:
        pynvml.nvmlShutdown()


def module_version(path: Path = _MODULE) -> str | None:
    """Read the version of the kernel's module, which containers without a GPU see too."""
    try:
        found = _VERSION.search(path.read_text())
    except OSError:
        return None
    return found[0] if found else None


def as_version(number: int) -> tuple[int, int] | None:
    """Split CUDA's number of a version, 12030 for 12.3; 0 is none."""
    return (number // 1000, number % 1000 // 10) if number else None


def cuda_in(text: str) -> tuple[int, int] | None:
    """Find the driver's CUDA in torch's message about a driver that is too old."""
    found = _FOUND.search(text)
    return as_version(int(found[1])) if found else None
