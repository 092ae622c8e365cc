"""What batch systems say of a job, by programs in their place, and what jobs wrote."""

from pathlib import Path

import pytest

from l2r.cluster.jobs import has_ended, last_words


@pytest.mark.parametrize(
    ("system", "program", "says", "ended"),
    [
        ("slurm", "squeue", "echo 7 PENDING", False),
        ("slurm", "squeue", "true", True),
        (
            "slurm",
            "squeue",
            "echo slurm_load_jobs error: Invalid job id specified >&2; exit 1",
            True,
        ),
        ("slurm", "squeue", "echo Unable to contact slurm controller >&2; exit 1", False),
        ("pbs", "qstat", "echo 7.host STDIN me 0 Q workq", False),
        ("pbs", "qstat", "echo qstat: Unknown Job Id 7.host >&2; exit 153", True),
        ("sge", "qstat", "echo job_number: 7", False),
        ("sge", "qstat", "echo Following jobs do not exist: 7 >&2; exit 1", True),
        ("lsf", "bjobs", "echo PEND", False),
        ("lsf", "bjobs", "echo EXIT", True),
    ],
)
def test_a_job_has_ended_if_its_batch_system_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    system: str,
    program: str,
    says: str,
    ended: bool,
) -> None:
    (tmp_path / program).write_text(f"#!/bin/sh\n{says}\n")
    (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert has_ended(system, "7") is ended


def test_a_batch_system_that_is_not_there_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not has_ended("slurm", "7")


def test_the_last_line_of_a_job_is_found_in_files_of_its_number_alone(tmp_path: Path) -> None:
    assert last_words(tmp_path, ["7"]) == ""
    (tmp_path / "regatta-7.out").write_text("hello\n")
    assert last_words(tmp_path, ["7"]) == "hello"
    (tmp_path / "regatta-7.err").write_text("first\nlast\n\n")
    (tmp_path / "regatta-17.err").write_text("of another job\n")
    (tmp_path / "disp_0007.nii.gz").write_text("a field\n")
    assert last_words(tmp_path, ["7.host"]) == "last"
