"""One engine and one build of each image for all tests; no registry of images is needed."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.engine import Engine, EngineError, build, daemon

REPOSITORY = Path(__file__).parents[2]
PYTHON = "3.11"
"""Of Debian 12, on which the images of the tests are based."""


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker daemon, where Debian's packages for it are installed and it can start."""
    for program in ("dockerd", "mmdebstrap"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: apt-get install docker.io mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="regatta-") as folder:
        try:
            with daemon(Path(folder)) as started:
                yield started
        except EngineError as error:
            pytest.skip(f"no container engine can start here: {error}")


@pytest.fixture(scope="session")
def base_image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Tag of a minimal Debian, made on the spot."""
    archive = tmp_path_factory.mktemp("base") / "base.tar"
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", archive], check=True)
    engine.client.api.import_image_from_file(str(archive), repository="base", tag="bookworm")
    archive.unlink()
    return "base:bookworm"


@pytest.fixture(scope="session")
def build_args(base_image: str) -> dict[str, str]:
    """For a build from `context`: Debian's mirror gives Python, `wheels/` all the rest."""
    return {"BASE_IMAGE": base_image, "PIP_NO_INDEX": "1", "TORCH": "cpu"}


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the images are built from, with `wheels/` for the processor alone."""
    folder = tmp_path_factory.mktemp("context")
    kept = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for name in ["Dockerfile", ".dockerignore", *(line[1:] for line in kept if line[0] == "!")]:
        source = REPOSITORY / name
        if source.is_dir() and name != "wheels":
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            shutil.copy(source, folder / name)
    for path in folder.rglob("*"):  # as a strict umask has it
        path.chmod(path.stat().st_mode & 0o700)
    _download(folder / "requirements.txt", folder / "wheels")
    return folder


def _download(requirements: Path, wheels: Path) -> None:
    words = ["--only-binary=:all:", "--python-version", PYTHON, "--dest", wheels]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        pins.write(re.sub(r"(?m)^torch==\S+", r"\g<0>+cpu", requirements.read_text()))
        pins.flush()
        subprocess.run(
            [sys.executable, "-m", "pip", "--quiet", "download", *words, "-r", pins.name],
            check=True,
        )


@pytest.fixture(scope="session")
def image(engine: Engine, context: Path, build_args: dict[str, str]) -> str:
    """Tag of the pipeline's image, with torch for the processor alone."""
    return build(engine, context, build_args, "run", tag="regatta:latest")


@pytest.fixture(scope="session")
def eval_image(engine: Engine, context: Path, build_args: dict[str, str]) -> str:
    """Tag of the judge's image."""
    return build(engine, context, build_args, "eval", tag="regatta-eval:latest")
