"""One small registration, as a user would do it: run, check, score."""

import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from l2r.check import check_submission
from l2r.dataset import read_pairs
from l2r.errors import OutputError
from l2r.phantom import write_phantom
from l2r.schema import parse, read_json
from l2r.submission import MANIFEST, field_names, open_submission
from l2r.task import load_task
from pipeline.doctor.record import CheckResult, Plan

ROOT = Path(__file__).parents[2]
SHAPE = (48, 60, 54)
TIMEOUT_S = 300
LEAST_GAIN = 0.2
"""Of the Dice. The default run file gains 0.34 on this phantom."""
MOST_FOLDS = 0.1
"""Percent. The default run file makes none on this phantom."""
MEMORY = ", most likely for want of memory"


@dataclass(frozen=True)
class Outcome:
    """Dice, folds and duration of the trial run."""

    before: float
    after: float
    """Mean Dice."""
    folds: float
    """Non-diffeomorphic volume in percent."""
    seconds: float
    device: str


def check_registration(plan: Plan) -> CheckResult:
    """Register a phantom pair by the default run file and score it."""
    with tempfile.TemporaryDirectory(prefix="regatta-doctor-") as place:
        folder = Path(place)
        dataset = write_phantom(folder / "data", shape=SHAPE, subjects=2)
        failure = _run(dataset, folder / "fields", plan.device) or _refused(dataset, folder)
        if failure:
            return CheckResult(
                "blocker", failure, "the row of the GPU or of the memory may say why"
            )
        return judge(_outcome(dataset, folder / "fields"))


def judge(outcome: Outcome) -> CheckResult:
    """Compare the outcome with that of a working machine."""
    found = (
        f"Dice {outcome.before:.3f} to {outcome.after:.3f}, folds {outcome.folds:.3g} %, "
        f"{outcome.seconds:.1f} s for {' x '.join(map(str, SHAPE))} voxels on {outcome.device}"
    )
    good = outcome.after - outcome.before >= LEAST_GAIN and outcome.folds <= MOST_FOLDS
    if not good:  # also where a number is NaN
        return CheckResult(
            "blocker",
            found,
            f"it should gain {LEAST_GAIN} and fold at most {MOST_FOLDS} %: try --device cpu, and "
            "install the pinned requirements.txt",
        )
    return CheckResult("good", found)


def _run(dataset: Path, output: Path, device: str) -> str | None:
    """Register in a process of its own, which may run out of memory; return the fault, if any."""
    call = [sys.executable, "-m", "pipeline", "run", "--device", device, "--output", str(output)]
    task = dataset.with_name("phantom.toml")
    with subprocess.Popen(  # noqa: S603
        [*call, "--dataset", str(dataset), "--task", str(task)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        with suppress(OSError):  # if memory runs out, this process is to live and tell
            Path(f"/proc/{run.pid}/oom_score_adj").write_text("1000")
        try:
            _, told = run.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return f"not done after {TIMEOUT_S} s"
        finally:  # also if interrupted: who lives on would write into the folder being removed
            run.kill()
            run.wait()
    if run.returncode < 0:
        name = signal.Signals(-run.returncode).name
        return f"the run was killed by {name}{MEMORY if name == 'SIGKILL' else ''}"
    if run.returncode:
        lines = [line.strip(" ╭╮╰╯─│") for line in told.splitlines()]
        *_, last = [line for line in lines if line] or ["no message"]
        return f"the run ended with code {run.returncode}: {last}"
    return None


def _refused(dataset: Path, folder: Path) -> str | None:
    task = load_task(str(dataset.with_name("phantom.toml")))
    pairs = field_names(task.field, read_pairs(dataset, dataset.parent, "validation"))
    checked = check_submission(open_submission(folder / "fields"), task, pairs)
    problems = [one.text for _, findings in checked for one in findings if one.kind == "problem"]
    return f"the scorer would refuse the field: {problems[0]}" if problems else None


def _outcome(dataset: Path, output: Path) -> Outcome:
    from eval.scoring import score_submission  # noqa: PLC0415 - the judge is only needed here
    from pipeline.register.manifest import Manifest  # noqa: PLC0415

    task = load_task(str(dataset.with_name("phantom.toml")))
    pairs = read_pairs(dataset, dataset.parent, "validation")
    report = score_submission(open_submission(output), task, pairs, dataset.parent)
    means = {name: over.mean for name, over in report.aggregates().items()}
    path = output / MANIFEST
    manifest = parse(Manifest, read_json(path, OutputError), str(path), OutputError)
    return Outcome(
        before=report.unregistered("DSC") or 0.0,
        after=means["DSC"],
        folds=means["Non-diffeomorphic Volumes"],
        seconds=sum(sum(entry.seconds.values()) for entry in manifest.pairs.values()),
        device=manifest.settings.device,
    )
