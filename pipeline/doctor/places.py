"""Checks of the folders that a run writes to: permissions and free space."""

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path

from l2r.disk import writing
from l2r.errors import L2RError, OutputError
from l2r.formats.volumes import grid_shape
from l2r.task import load_task
from pipeline.doctor.record import CheckResult, Plan, gib
from pipeline.register.request import RunRequest, resolve

PROBE = bytes(1 << 20)
SMALL = 64 << 20
"""Bytes that /tmp should have free, for this command alone; a run keeps nothing there."""
VOXEL = 12
"""Bytes of three single-precision numbers; fields hardly shrink when they are packed."""


def check_output(plan: Plan) -> CheckResult:
    """Write a file where the fields would go, rename it, and remove it."""
    who = f"uid {os.getuid()}, gid {os.getgid()}"
    where = plan.output.resolve()
    try:
        with _made(plan.output):
            _write(plan.output)
    except OutputError as error:
        reason = str(error.__cause__.strerror if isinstance(error.__cause__, OSError) else error)
        found = f"{where}: {who}, cannot write: {reason}"
        if not plan.expected:
            return CheckResult(
                "warning", found, "nothing is mounted: for a run, name it by --output"
            )
        return CheckResult("blocker", found, _permission(where))
    return CheckResult("good", f"{where}: {who}, can write")


def check_disk(plan: Plan) -> CheckResult:
    """Compare the room where the fields would go with what they take."""
    free = shutil.disk_usage(_existing(plan.output)).free
    count, size = _fields(plan)
    found = f"{gib(free)} free; {count} field{'s' * (count != 1)} of {size / 1e6:.0f} MB"
    if free < (count + 1) * size:  # one more: what is replaced stays until the new one is whole
        advice = f"make room in {plan.output.resolve()}, or give --output"
        return CheckResult("blocker" if plan.expected else "warning", found, advice)
    return CheckResult("good", found)


def check_temporary(_: Plan) -> CheckResult:
    """Write a file to /tmp, or where TMPDIR points."""
    folder = Path(tempfile.gettempdir())
    _write(folder)
    free = shutil.disk_usage(folder).free
    found = f"{folder}: can write, {gib(free)} free"
    if free < SMALL:
        return CheckResult("warning", found, "give it more, as in docker run --tmpfs /tmp:size=1g")
    return CheckResult("good", found)


def _write(folder: Path) -> None:
    path = folder / f".regatta-{secrets.token_hex(4)}"
    with writing(path) as file:
        file.write(PROBE)
    path.unlink()


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder, and no trace of it where there was none."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as cause:
        raise OutputError(f"{folder}: cannot be made") from cause
    finally:
        with suppress(OSError):
            for path in missing:
                path.rmdir()


def _permission(folder: Path) -> str:
    there = _existing(folder)
    state = there.stat()
    return (
        f"{there} belongs to {state.st_uid}:{state.st_gid} with mode "
        f"{stat.S_IMODE(state.st_mode):o}: on the host, chown {os.getuid()} it, or start the "
        "container as its owner (--user), with the folder mounted and not read-only"
    )


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.resolve().parents) if path.is_dir())


def _fields(plan: Plan) -> tuple[int, int]:
    """Count the fields to write and the bytes of one; LUMIR's where no list is mounted."""
    lumir = prod(load_task("lumir24").data.shape or ())
    if plan.mounts is None:
        return 1, lumir * VOXEL
    try:
        what = resolve(RunRequest())
        first = next(iter(what.pairs.values()))
        voxels = prod(what.task.data.shape or grid_shape(first.fixed.path))
    except L2RError:  # told by the check of the mounts
        return 1, lumir * VOXEL
    present = sum((plan.output / name).is_file() for name in what.pairs)
    scale = 8 if what.task.field.grid == "half" else 1
    return len(what.pairs) - present, voxels * VOXEL // scale
