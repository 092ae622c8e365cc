"""Scoring on the workers of a cluster."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from l2r.formats.fields import write_field
from l2r.phantom import true_field, write_phantom

ROOT = Path(__file__).parents[2]
SHAPE = (32, 40, 36)
pytestmark = pytest.mark.slow


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    """Three pairs and their right fields."""
    write_phantom(tmp_path, shape=SHAPE, subjects=4)
    (tmp_path / "fields").mkdir()
    for fixed in (2, 3, 4):
        field = np.moveaxis(true_field(fixed, fixed - 1, SHAPE), -1, 0)
        write_field(tmp_path / f"fields/disp_{fixed:04}_{fixed - 1:04}.nii.gz", field, np.eye(4))
    return tmp_path


def score(challenge: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "eval", "score", challenge / "fields",
            "--task", challenge / "phantom.toml", "--dataset", challenge / "PHANTOM_dataset.json",
            *more,
        ],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip


def test_two_workers_give_the_scores_of_one_process_in_the_same_order(challenge: Path) -> None:
    one, two = challenge / "one.json", challenge / "two.json"
    plain = score(challenge, "--output", str(one))
    spread = score(challenge, "--cluster", "local:2", "--output", str(two))
    assert (plain.returncode, spread.returncode) == (0, 0), spread.stderr
    assert two.read_bytes() == one.read_bytes()
    assert spread.stdout == plain.stdout


def test_a_faulty_field_is_the_same_line_from_a_worker(challenge: Path) -> None:
    (challenge / "fields/disp_0003_0002.nii.gz").write_bytes(b"nothing")
    plain, spread = score(challenge), score(challenge, "--cluster", "local:2")
    assert (plain.returncode, spread.returncode) == (2, 2)
    assert spread.stderr.splitlines()[-1] == plain.stderr.splitlines()[-1]
