"""The definition file's own words, run by a shell in another folder, and the script of the docs.

Apptainer itself is not among Debian's packages, so the image is not built here. What can go wrong
without it can: the shell, the calls, and what they say about the Dockerfile.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def sections() -> dict[str, str]:
    """The parts of the definition file by name, `""` for what comes first."""
    parts = re.split(r"^%(\w+)\n", "\n" + (ROOT / "regatta.def").read_text(), flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


def last_words(instruction: str) -> list[str]:
    """Of the Dockerfile's last stage."""
    lines = re.findall(
        rf"^{instruction} (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    return json.loads(lines[-1])


@pytest.mark.parametrize("name", ["post", "environment", "runscript", "test"])
def test_the_sections_are_valid_shell(name: str) -> None:
    read = subprocess.run(
        ["sh", "-n"], input=sections()[name], text=True, capture_output=True, check=False
    )
    assert (read.returncode, read.stderr) == (0, "")


def test_it_runs_what_the_dockerfile_runs() -> None:
    entry, command = " ".join(last_words("ENTRYPOINT")), " ".join(last_words("CMD"))
    script = sections()["runscript"]
    assert f'exec {entry} "$@"\n' in script
    assert f"set -- {command}\n" in script
    assert sections()["test"].strip() == f"{entry} doctor"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no pair list is mounted"),
        (["doctor", "--device", "a b"], "--device a b: no such device"),
        (["run", "--dataset", "pairs.json", "--shard", "3/2"], "--shard 3/2"),
        (["check", "here", "--dataset", "list.json"], "list.json: not valid JSON at line 1"),
    ],
)
def test_it_runs_from_any_folder_with_the_callers_words(
    tmp_path: Path, words: list[str], told: str
) -> None:
    (tmp_path / "list.json").write_text("{")
    (tmp_path / "pairs.json").write_text('[{"fixed": "a.nii.gz", "moving": "b.nii.gz"}]')
    parts = sections()
    script = parts["environment"].replace("/app", str(ROOT)) + parts["runscript"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["sh", "-c", script, "regatta.sif", *words],
        cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr.startswith("error: ")) == (2, True), ran.stderr
    assert told in ran.stderr


def test_the_scripts_of_the_docs_are_valid_and_their_options_exist() -> None:
    blocks = re.findall(
        r"^```bash\n(.*?)^```", (ROOT / "docs/how-to/hpc.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) == 4
    for block in blocks:
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)
    slurm = next(block for block in blocks if "#SBATCH" in block)
    *_, call = slurm.split('"$image"')
    used = set(re.findall(r"--[a-z-]+", call))
    offered = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "--help"],
        cwd=ROOT, env=os.environ | {"COLUMNS": "200"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert used
    assert all(option in offered for option in used)
