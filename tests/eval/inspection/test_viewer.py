"""The viewer that comes with Regatta is the one that its record names."""

import hashlib
import json
from pathlib import Path

from eval.inspection.viewer import LICENCES, VIEWER, write_viewer


def test_the_script_has_the_recorded_hash(tmp_path: Path) -> None:
    write_viewer(tmp_path)
    source = json.loads((VIEWER / "source.json").read_text())
    content = (tmp_path / "niivue.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == source["sha256"]


def test_the_record_names_the_package_that_is_locked() -> None:
    source = json.loads((VIEWER / "source.json").read_text())
    locked = json.loads((VIEWER / "package-lock.json").read_text())["packages"]
    package = locked[f"node_modules/{source['package']}"]
    assert (package["version"], package["integrity"]) == (source["version"], source["integrity"])
    assert package["license"] == source["licence"]


def test_the_licences_of_all_parts_go_with_it(tmp_path: Path) -> None:
    write_viewer(tmp_path)
    text = (tmp_path / LICENCES.name).read_text()
    for part in ("@niivue/niivue", "gl-matrix", "nifti-reader-js", "fflate", "array-equal"):
        assert f"== {part} " in text
    assert "Redistribution and use in source and binary forms" in text
