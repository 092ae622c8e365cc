"""Registration tools that Regatta is compared with, and their environments."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks.peers.base import Tool
from benchmarks.peers.catalog import TOOLS
from benchmarks.peers.environment import python_of
from l2r.errors import ConfigError


def nothing(*_: object) -> None:
    raise AssertionError("no tool is run here")


EMPTY = Tool(("pip==23.2.1",), "", nothing)


@pytest.mark.parametrize("name", TOOLS)
def test_every_package_is_pinned_and_the_tool_comes_first(name: str) -> None:
    tool = TOOLS[name]
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", text) for text in tool.requirements)
    assert tool.requirements[0] == f"{tool.package}=={tool.version}"
    assert not any(text.startswith("torch==") for text in tool.requirements)


def test_settings_of_syn_are_those_of_the_papers() -> None:
    assert "reg_iterations=(160, 80, 40)" in TOOLS["syn_papers"].settings
    assert TOOLS["syn_papers"].requirements == TOOLS["syn"].requirements


def test_an_environment_is_taken_as_long_as_it_has_these_packages(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    record = tmp_path / "empty" / "made.json"
    record.write_text(json.dumps(list(EMPTY.requirements)))
    before = record.stat().st_mtime_ns
    assert python_of("empty", EMPTY, tmp_path) == tmp_path / "empty" / "bin" / "python"
    assert record.stat().st_mtime_ns == before


@pytest.mark.slow
def test_packages_that_cannot_be_installed_are_named_and_the_environment_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    missing = Tool(("no-such-package==1.0",), "", nothing)
    with pytest.raises(ConfigError, match=r"no-such-package==1.0 cannot be installed"):
        python_of("missing", missing, tmp_path)
    assert not (tmp_path / "missing" / "made.json").exists()
    # Regatta's own packages lie behind those that would have been installed.
    words = [
        str(tmp_path / "missing" / "bin" / "python"),
        "-c",
        "import nibabel, sys; print(sys.prefix)",
    ]
    found = subprocess.run(words, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(tmp_path / "missing")
