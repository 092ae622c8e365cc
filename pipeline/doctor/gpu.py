"""The check of the GPU: one that this build of torch can use with this driver."""

import os
import warnings
from dataclasses import dataclass, replace

from pipeline.doctor.driver import Driver, cuda_in, find_driver
from pipeline.doctor.record import CheckResult, Plan, gib

OLDEST = {11: 450, 12: 525, 13: 580}
"""The oldest driver for each major version of CUDA. Any minor version runs on it.

Source: docs.nvidia.com/deploy/cuda-compatibility, "Minor Version Compatibility", table 1."""
GIVE_ONE = (
    "to use one, give it to the container (docker run --gpus all, apptainer run --nv) or to the "
    "batch job (sbatch --gres=gpu:1); else --device cpu"
)
BUILDS = "https://download.pytorch.org/whl/"


@dataclass(frozen=True)
class Tried:
    """The result of a small computation on the GPU by torch."""

    wheel: str | None
    """The CUDA that torch was built for; None for its CPU build."""
    count: int = 0
    """GPUs that torch sees."""
    gpu: str | None = None
    """Its name and memory, if it computed."""
    trouble: str = ""
    """What torch said if not."""
    code: str = ""
    """The GPU's architecture and those that this build of torch has code for."""


def check_gpu(plan: Plan) -> CheckResult:
    """Try the GPU, and if it does not work, say why."""
    if plan.device == "cpu":
        return CheckResult("good", "none is asked for (--device cpu)")
    return judge(find_driver(), try_gpu(plan.device), required=plan.device != "auto")


def judge(driver: Driver | None, tried: Tried, *, required: bool) -> CheckResult:
    """Decide what is wrong, if anything is.

    Args:
        driver: of the machine, if there is one.
        tried: what torch made of it.
        required: whether a run on the CPU will not do.
    """
    if tried.gpu:
        cuda = f"torch for CUDA {tried.wheel}"
        return CheckResult("good", ", ".join([tried.gpu, *([str(driver)] if driver else []), cuda]))
    if tried.count and not tried.trouble:
        found = f"torch sees {tried.count} GPUs, but not the one that is asked for"
        return CheckResult("blocker", found, f"give --device cuda:0 to cuda:{tried.count - 1}")
    told = cuda_in(tried.trouble)
    if driver and told and not driver.cuda:
        driver = replace(driver, cuda=told)
    if driver is None or not (driver.gpus or driver.trouble or told) or hidden():
        return _none(driver, required=required)
    return CheckResult(
        "blocker", f"a GPU with {driver}, which torch cannot use", _cure(driver, tried)
    )


def hidden() -> bool:
    """Tell if the environment hides all GPUs from CUDA programs on purpose."""
    return os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1", "NoDevFiles"}


def too_old(wheel: str, driver: Driver) -> bool:
    """Tell if a driver is too old for programs built for a version of CUDA, such as `12.6`.

    Minor versions are compatible: what was built for 12.6 runs on a driver made for 12.0.
    """
    major = int(wheel.partition(".")[0])
    if driver.cuda:
        return driver.cuda[0] < major
    if driver.version and major in OLDEST:
        return int(driver.version.partition(".")[0]) < OLDEST[major]
    return False


def try_gpu(device: str) -> Tried:
    """Compute something small on the GPU."""
    import torch  # noqa: PLC0415 - loaded by the checks that need it

    wheel = torch.version.cuda
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = int(device.partition(":")[2] or 0)
    if index >= count:
        return Tried(wheel, count, trouble=_first([str(warning.message) for warning in told]))
    try:
        torch.ones(8, device=f"cuda:{index}").sum().item()
    except RuntimeError as error:
        own = "sm_{}{}".format(*torch.cuda.get_device_capability(index))
        code = f"{own}, not among {' '.join(torch.cuda.get_arch_list())}"
        return Tried(wheel, count, trouble=_first([str(error)]), code=code)
    properties, (free, _) = torch.cuda.get_device_properties(index), torch.cuda.mem_get_info(index)
    memory = f"{gib(properties.total_memory)}, {gib(free)} free"
    return Tried(wheel, count, f"{properties.name}, {memory}")


def _first(texts: list[str]) -> str:
    return texts[0].partition("\n")[0] if texts else ""


def _none(driver: Driver | None, *, required: bool) -> CheckResult:
    if hidden():
        found = f"hidden by CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']!r}"
    elif driver:
        found = f"{driver} is loaded, but no GPU can be seen from here"
    else:
        found = "no NVIDIA GPU"
    if required:
        return CheckResult("blocker", f"{found}, but one is asked for", GIVE_ONE)
    return CheckResult("warning", f"{found}; the CPU computes", GIVE_ONE)


def _cure(driver: Driver, tried: Tried) -> str:
    other = f"install torch for CUDA {_suitable(driver)} ({BUILDS})"
    if tried.wheel is None:
        return f"this is torch's CPU build: {other}, or say --device cpu"
    if too_old(tried.wheel, driver):
        oldest = OLDEST.get(int(tried.wheel.partition(".")[0]))
        needed = f"driver {oldest} or newer" if oldest else "a newer driver"
        return f"torch for CUDA {tried.wheel} needs {needed}: update the driver, or {other}"
    if "no kernel image" in tried.trouble:
        return f"{_no_code(tried)}, or install it from {BUILDS}"
    told = driver.trouble or tried.trouble or "torch does not say why"
    return f"{told}: start container and machine anew, or say --device cpu"


def _no_code(tried: Tried) -> str:
    if (tried.wheel or "").startswith("12."):
        other, known = "cu130", "CUDA 13.0 knows GPUs since Blackwell"
    else:
        other, known = "cu126", "CUDA 12.6 is the last that knows GPUs before Turing"
    return (
        f"torch for CUDA {tried.wheel} has no code for this GPU ({tried.code}). {known}: "
        f"docker build --build-arg TORCH={other}"
    )


def _suitable(driver: Driver) -> str:
    if driver.cuda:
        return f"{driver.cuda[0]}.x"
    version = int((driver.version or "0").partition(".")[0])
    majors = [major for major, oldest in OLDEST.items() if version >= oldest]
    return f"{max(majors)}.x" if majors else "as old as the driver"
