"""The project installed into an environment of its own, as pipx and uv do."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("l2r", "models", "eval", "pipeline", "configs", "pyproject.toml", "LICENSE")


@pytest.fixture(scope="module")
def regatta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script of a fresh environment, which sees the packages that these tests have."""
    place = tmp_path_factory.mktemp("installed")
    for name in SOURCES:
        source, copy = ROOT / name, place / "checkout" / name
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(source, copy)
    environment = place / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin/python"
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
    link = Path(packages.stdout.strip()) / "dependencies.pth"
    link.write_text(sysconfig.get_path("purelib"))
    install = ["install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, *install, place / "checkout"], check=True
    )
    shutil.rmtree(place / "checkout")
    return environment / "bin/regatta"


def call(regatta: Path, folder: Path, *words: str | Path) -> str:
    """The output of a command that is called in a folder outside of the repository."""
    ran = subprocess.run([regatta, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_installed_regatta_registers_checks_scores_and_ranks(
    regatta: Path, phantom: Path, tmp_path: Path
) -> None:
    listed = ("--task", phantom / "phantom.toml", "--dataset", phantom / "PHANTOM_dataset.json")
    assert call(regatta, tmp_path, "--version").endswith("commit unknown\n")
    assert "good" in call(regatta, tmp_path, "weights", "verify", "t1_brain")
    run = call(regatta, tmp_path, "run", *listed, "--config", "t1_network", "--device", "cpu")
    assert run == "2 done in output\n"
    assert "would accept all 2 fields" in call(regatta, tmp_path, "check", "output", *listed)
    scores = tmp_path / "metrics.json"
    assert "DSC" in call(
        regatta, tmp_path, "score", "output", *listed, "--ground-truth", phantom, "--output", scores
    )
    call(regatta, tmp_path, "leaderboard", "init")
    words = ("add", scores, "--task", phantom / "phantom.toml", "--name", "ours")
    call(regatta, tmp_path, "leaderboard", *words)
    assert "ours" in call(
        regatta, tmp_path, "leaderboard", "show", "--task", phantom / "phantom.toml"
    )
