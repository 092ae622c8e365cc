"""Tells whether jobs of a batch system have ended, and what they wrote."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

LISTING: Mapping[str, tuple[str, ...]] = {
    "slurm": ("squeue", "--noheader", "--jobs"),
    "pbs": ("qstat",),
    "sge": ("qstat", "-j"),
    "lsf": ("bjobs", "-noheader", "-o", "stat"),
}
"""The command that tells of one job."""
_GONE = re.compile(
    r"invalid job id|unknown job|has finished|do not exist|is not found", re.IGNORECASE
)
_ANSWER_S = 60


def has_ended(system: str, job: str) -> bool:
    """Tell if a job neither waits nor runs; False where the batch system does not answer."""
    try:
        told = subprocess.run(  # noqa: S603
            [*LISTING[system], job],
            capture_output=True, text=True, check=False, timeout=_ANSWER_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    if _GONE.search(told.stdout + told.stderr):
        return True
    return told.returncode == 0 and told.stdout.strip() in ("", "DONE", "EXIT")


def last_words(folder: Path, jobs: Sequence[str]) -> str:
    """The last line that any of the jobs has written to a file that is named after it."""
    numbers = "|".join(re.escape(job.partition(".")[0]) for job in jobs)
    named = re.compile(rf"(?:.*\D)?(?:{numbers})(?:\.err|\.out)?")
    files = [path for path in folder.glob("*") if named.fullmatch(path.name) and path.is_file()]
    for path in sorted(files, key=lambda file: (file.suffix == ".err", file.name), reverse=True):
        lines = path.read_text(errors="replace").split("\n")
        if written := next((line.strip() for line in reversed(lines) if line.strip()), ""):
            return written
    return ""
