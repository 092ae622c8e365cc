"""Wheels of the pinned packages that a machine with torch is likely to lack.

python -m benchmarks.gpu.pack FOLDER [--python 3.12]

Taken from the locked requirements are all packages of a run and those of the tests that need a GPU,
but for torch, what torch brings, and what is large and everywhere: numpy, scipy, pyarrow. The
sample travels with the repository.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
THERE = {
    "filelock", "fsspec", "mpmath", "networkx", "numpy", "pyarrow", "scipy", "setuptools", "sympy",
    "torch",
}  # fmt: skip
TESTS = {
    "beartype", "execnet", "hypothesis", "iniconfig", "pluggy", "pytest", "pytest-timeout",
    "pytest-xdist", "sortedcontainers",
}  # fmt: skip
GLIBC = (28, 27, 17)
"""Minor versions of glibc 2 that wheels are built for; what runs on one runs on later ones."""
MOST_BYTES = 60_000_000


def main() -> None:
    """Fill a folder anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="of the machine that has the GPU")
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    subprocess.run(download(pins(), given.folder, given.python), check=True)
    size = sum(path.stat().st_size for path in given.folder.iterdir())
    if size > MOST_BYTES:
        sys.exit(f"{given.folder}: {size / 1e6:.0f} MB of wheels, {MOST_BYTES / 1e6:.0f} expected")
    count = len(list(given.folder.iterdir()))
    print(f"{given.folder}: {count} wheels for Python {given.python}, {size / 1e6:.0f} MB")


def pins() -> list[str]:
    """Packages with their locked versions, `name==version`."""
    run, tests = (
        re.findall(r"^(\S+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    wanted = [*run, *(pin for pin in tests if pin[0] in TESTS)]
    return [f"{name}=={version}" for name, version in wanted if name not in THERE]


def download(packages: list[str], folder: Path, python: str) -> list[str]:
    """The call of pip for wheels of Linux on x86-64."""
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in GLIBC]
    platforms += ["manylinux2014_x86_64", "manylinux1_x86_64"]
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    words += ["--no-deps", "--only-binary=:all:", "--implementation", "cp"]
    words += ["--python-version", python, "--dest", str(folder)]
    words += [word for name in platforms for word in ("--platform", name)]
    return [*words, *packages]


if __name__ == "__main__":
    main()
