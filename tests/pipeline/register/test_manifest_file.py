"""The manifest, written and read a pair at a time, is the one that is written at once."""

import json
import logging
from pathlib import Path

import pytest

from l2r import __version__
from pipeline.register.manifest import LevelRecord, Manifest, PairRecord, RefinementRecord
from pipeline.register.manifest_file import read_texts, write_manifest
from tests.pipeline.register.test_ledger import SETTINGS

TRICKY = SETTINGS.model_copy(
    update={"task": {"name": '\n  "pairs": {}', "pairs": {}, "field_sha": {"pairs": {}}}}
)
PEAK = {"host": 1.5}


def record(moving: str) -> PairRecord:
    level = LevelRecord(
        steps=2, skipped=0, stopped="steps", losses={"lncc": (0.1, -1e-9, 3.0)}, seconds=0.1
    )
    return PairRecord(
        status="done", fixed="a", moving=moving, inputs_sha256="i", field_sha256="f",
        warnings=("a line\nand {another}",), seconds={"read": 0.1},
        refinements=(RefinementRecord(levels=(level,), improved=True),),
    )  # fmt: skip


@pytest.mark.parametrize("names", [[], ["b"], ["c", 'B"\\', "é \U0001f9e0", "a"]])
def test_the_file_is_that_of_the_whole_record(tmp_path: Path, names: list[str]) -> None:
    pairs = {name: record(name) for name in names}
    texts = {name: pair.model_dump_json() for name, pair in pairs.items()}
    write_manifest(tmp_path / "manifest.json", TRICKY, texts, PEAK)
    whole = Manifest(
        regatta=__version__, settings=TRICKY, pairs=dict(sorted(pairs.items())),
        peak_memory_gib=PEAK,
    )  # fmt: skip
    written = (tmp_path / "manifest.json").read_text()
    assert written == whole.model_dump_json(indent=2)
    read = read_texts(tmp_path / "manifest.json")
    assert (read.settings, read.peak_memory_gib) == (TRICKY, PEAK)
    found = {name: PairRecord.model_validate_json(text) for name, text in read.pairs.items()}
    assert found == pairs


def test_the_order_of_keys_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_manifest(path, SETTINGS, {"a": record("a").model_dump_json()}, PEAK)
    text = json.dumps(json.loads(path.read_text()), sort_keys=True)
    assert text.index('"pairs"') < text.index('"settings"')
    path.write_text(text)
    assert PairRecord.model_validate_json(read_texts(path).pairs["a"]) == record("a")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pairs": {"a": {"field_sha256": "f"}}}'])
def test_a_damaged_file_is_ignored_with_a_warning(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with caplog.at_level(logging.WARNING):
        assert read_texts(tmp_path / "manifest.json") is None
    assert "it is ignored and written anew" in caplog.text
