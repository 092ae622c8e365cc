"""An environment for each tool: its own packages first, then those that Regatta runs with."""

import json
import site
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.base import Tool
from l2r.errors import ConfigError

PLACE = Path("output/peers-environments")
_MADE = "made.json"


def python_of(name: str, tool: Tool, place: Path) -> Path:
    """Path of the interpreter of a tool's environment, which is made where it is missing.

    Raises:
        ConfigError: its packages cannot be installed.
    """
    folder = place / name
    record, python = folder / _MADE, folder / "bin" / "python"
    if record.is_file() and json.loads(record.read_text()) == list(tool.requirements):
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "regatta.pth").write_text("\n".join(site.getsitepackages()))
    words = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Not what they ask for: that would bring another torch, of gigabytes.
    done = subprocess.run(
        [*words, "--no-deps", "--ignore-installed", *tool.requirements], check=False
    )
    if done.returncode:
        raise ConfigError(
            f"--tools {name}: {', '.join(tool.requirements)} cannot be installed, see above; "
            "leave the tool out"
        )
    record.write_text(json.dumps(list(tool.requirements)))
    return python
