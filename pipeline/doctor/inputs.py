"""Checks of the inputs of a run: versions, weights, and the mounts of a challenge."""

import os
import platform

from l2r.errors import L2RError, WeightsError
from l2r.mounts import all_mounts
from models.weights.registry import registered
from pipeline.doctor.record import CheckResult, Plan
from pipeline.register.request import RunRequest, resolve


def check_versions(_: Plan) -> CheckResult:
    """Load torch, whose libraries may be missing."""
    import torch  # noqa: PLC0415 - loaded by the checks that need it

    return CheckResult("good", f"Python {platform.python_version()}, torch {torch.__version__}")


def check_weights(_: Plan) -> CheckResult:
    """Compare all registered weights with the hashes that their registries state."""
    known, bad = registered(), []
    for weights in known.values():
        try:
            weights.checked()
        except WeightsError as error:
            bad.append(str(error))
    if bad:
        return CheckResult(
            "blocker", f"{len(bad)} of {len(known)} are not what they should be", bad[0]
        )
    return CheckResult("good", f"{len(known)}, all with the stated hash")


def check_mounts(plan: Plan) -> CheckResult:
    """See what a call without arguments would find."""
    if plan.mounts is None and not all_mounts():
        return CheckResult(
            "warning",
            "no pair list of a challenge is mounted",
            "for a run, mount list, images and output, or give --dataset, --input and --output",
        )
    try:
        what = resolve(RunRequest())
    except L2RError as error:
        return CheckResult("blocker", "a run without arguments would stop", str(error))
    paths = {path for pair in what.pairs.values() for path in pair.files(labels=False)}
    missing = sorted(path for path in paths if not os.access(path, os.R_OK))
    found = f"{what.task.name}: {len(what.pairs)} pairs, {len(paths)} images"
    if missing:
        return CheckResult(
            "blocker",
            f"{found}, {len(missing)} of which cannot be read",
            f"{missing[0]}: mount it, or chmod a+r it on the host",
        )
    return CheckResult("good", found)
