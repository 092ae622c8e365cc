"""The record of an output folder: append-only while a run goes on, a manifest at its end."""

import json
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from l2r.disk import sha256
from l2r.errors import OutputError
from pipeline.register.ledger import WHOLE, Ledger
from pipeline.register.manifest import (
    LevelRecord,
    PairRecord,
    RefinementRecord,
    RunSettings,
    read_manifest,
)

SETTINGS = RunSettings(
    task={"name": "any"}, config={"seed": 0}, weights_sha256=None, device="cpu", versions={},
    commit=None, time_budget_s=None,
)  # fmt: skip
OTHER = SETTINGS.model_copy(update={"config": {"seed": 1}})
PEAK = {"host": 1.5}


def made(folder: Path, name: str) -> PairRecord:
    """A field on the disk, and its record."""
    (folder / name).write_text(name)
    return PairRecord(
        status="done", fixed="a", moving="b", inputs_sha256="inputs",
        field_sha256=sha256(folder / name), seconds={"read": 0.1},
    )  # fmt: skip


def names(count: int) -> list[str]:
    return [f"disp_{number:05d}.nii.gz" for number in range(count)]


def killed(folder: Path, recorded: list[str], journal: str = WHOLE) -> None:
    """A run that was killed after some pairs: nothing is concluded."""
    ledger = Ledger(folder, SETTINGS, journal, names(3))
    for name in recorded:
        ledger.record(name, made(folder, name), PEAK)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("manifest*"))


def done(folder: Path, settings: RunSettings = SETTINGS) -> list[str]:
    ledger = Ledger(folder, settings, WHOLE, names(3))
    return [name for name in names(3) if ledger.is_done(name, "inputs")]


def test_the_words_that_set_a_value_do_not_matter_where_the_value_is_the_same() -> None:
    set_by_hand = SETTINGS.model_copy(update={"overrides": ("seed=0",)})
    assert set_by_hand.sha256 == SETTINGS.sha256
    assert OTHER.sha256 != SETTINGS.sha256


def test_the_manifest_is_made_of_the_journal_at_the_end(tmp_path: Path) -> None:
    with Ledger(tmp_path, SETTINGS, WHOLE, names(2)) as ledger:
        for name in reversed(names(2)):
            ledger.record(name, made(tmp_path, name), PEAK)
            assert files(tmp_path) == [WHOLE]
    assert files(tmp_path) == ["manifest.json"]
    manifest = read_manifest(tmp_path / "manifest.json")
    assert (list(manifest.pairs), manifest.settings) == (names(2), SETTINGS)
    assert manifest.peak_memory_gib == PEAK


def test_what_a_killed_run_has_recorded_is_taken_over(tmp_path: Path) -> None:
    killed(tmp_path, names(2))
    assert files(tmp_path) == [WHOLE]
    assert done(tmp_path) == names(2)
    with Ledger(tmp_path, SETTINGS, WHOLE, names(3)) as ledger:
        ledger.record(names(3)[2], made(tmp_path, names(3)[2]), {"host": 0.5, "device": 2.0})
    manifest = read_manifest(tmp_path / "manifest.json")
    assert list(manifest.pairs) == names(3)
    assert manifest.peak_memory_gib == {"host": 1.5, "device": 2.0}


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_torn_last_line_is_ignored_and_cut_off(tmp_path: Path, cut: int) -> None:
    killed(tmp_path, names(2))
    journal = tmp_path / WHOLE
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert done(tmp_path) == names(1)
    with Ledger(tmp_path, SETTINGS, WHOLE, names(2)) as ledger:
        ledger.record(names(2)[1], made(tmp_path, names(2)[1]), PEAK)
    assert list(read_manifest(tmp_path / "manifest.json").pairs) == names(2)


@pytest.mark.parametrize("text", ["", "{", "junk\n", '{"name": "a"}\n', "\x00\n\x00\n"])
def test_a_damaged_journal_costs_its_pairs_and_nothing_else(tmp_path: Path, text: str) -> None:
    (tmp_path / WHOLE).write_text(text)
    assert done(tmp_path) == []
    with Ledger(tmp_path, SETTINGS, WHOLE, names(1)) as ledger:
        ledger.record(names(1)[0], made(tmp_path, names(1)[0]), PEAK)
    assert list(read_manifest(tmp_path / "manifest.json").pairs) == names(1)


def test_a_damaged_line_costs_those_from_it_on(tmp_path: Path) -> None:
    killed(tmp_path, names(3))
    journal = tmp_path / WHOLE
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b"junk\n", *lines[3:]]))
    assert done(tmp_path) == names(1)
    assert journal.read_bytes() == b"".join(lines[:2])


def test_a_damaged_record_of_a_manifest_costs_those_from_it_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Ledger(tmp_path, SETTINGS, WHOLE, names(3)) as ledger:
        for name in names(3):
            ledger.record(name, made(tmp_path, name), PEAK)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["pairs"][names(3)[1]]["status"] = "unheard of"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert done(tmp_path) == names(1)
    assert "damaged; what the damage hides is made anew" in caplog.text


def test_a_ledger_takes_a_small_part_of_the_memory_of_the_records(tmp_path: Path) -> None:
    """As Python's objects the curves would take four times the memory of their text."""
    curves = LevelRecord(
        steps=199, skipped=0, stopped="steps",
        losses={"lncc": tuple(step / 8 for step in range(200))},
    )  # fmt: skip
    refinements = (RefinementRecord(levels=(curves,), improved=True),)
    with Ledger(tmp_path, SETTINGS, WHOLE, names(500)) as ledger:
        for name in names(500):
            record = made(tmp_path, name).model_copy(update={"refinements": refinements})
            ledger.record(name, record, PEAK)
        size = (tmp_path / WHOLE).stat().st_size
        opened = traced(lambda: Ledger(tmp_path, SETTINGS, WHOLE, names(500)))
        concluded = traced(lambda: ledger.__exit__(None, None, None))
    resumed = traced(lambda: Ledger(tmp_path, SETTINGS, WHOLE, names(500)))
    assert opened < size / 2  # two hashes a pair
    assert concluded < 1.5 * size  # the texts
    manifest = (tmp_path / "manifest.json").stat().st_size
    assert resumed < 2.2 * manifest + size  # the file as bytes and as characters, and the texts


def traced(work: Callable[[], object]) -> int:
    """Bytes of Python's objects at most."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_other_settings_believe_neither_journal_nor_manifest(tmp_path: Path) -> None:
    killed(tmp_path, names(1))
    assert done(tmp_path, OTHER) == []
    assert files(tmp_path) == []  # the journal of a run without shards is this run's own
    with Ledger(tmp_path, SETTINGS, WHOLE, names(1)) as ledger:
        ledger.record(names(1)[0], made(tmp_path, names(1)[0]), PEAK)
    assert (done(tmp_path, OTHER), done(tmp_path)) == ([], names(1))


@pytest.mark.parametrize(
    "change", [{"status": "unimproved"}, {"status": "fallback"}, {"inputs_sha256": "others"}]
)
def test_only_a_done_field_of_the_same_inputs_is_kept(
    tmp_path: Path, change: dict[str, str]
) -> None:
    (name,) = names(1)
    with Ledger(tmp_path, SETTINGS, WHOLE, [name]) as ledger:
        ledger.record(name, made(tmp_path, name).model_copy(update=change), PEAK)
    assert done(tmp_path) == []


def test_an_interrupted_run_leaves_a_manifest(tmp_path: Path) -> None:
    (name,) = names(1)

    def run() -> None:
        with Ledger(tmp_path, SETTINGS, WHOLE, names(3)) as ledger:
            ledger.record(name, made(tmp_path, name), PEAK)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert files(tmp_path) == ["manifest.json"]
    assert done(tmp_path) == [name]


def test_a_journal_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    (name,) = names(1)
    ledger = Ledger(tmp_path, SETTINGS, WHOLE, [name])
    record = made(tmp_path, name)
    (tmp_path / WHOLE).mkdir()
    with pytest.raises(OutputError, match=r"manifest\.jsonl: cannot be written"):
        ledger.record(name, record, PEAK)


def test_a_journal_that_another_shard_has_put_into_the_manifest_is_begun_anew(
    tmp_path: Path,
) -> None:
    own, (first, second) = "manifest.1-of-2.jsonl", names(2)
    with Ledger(tmp_path, SETTINGS, own, names(2)) as ledger:
        ledger.record(first, made(tmp_path, first), PEAK)
        with Ledger(tmp_path, SETTINGS, "manifest.2-of-2.jsonl", names(2)) as other:
            other.record(second, made(tmp_path, second), PEAK)
        assert files(tmp_path) == ["manifest.json"]
        ledger.record(first, made(tmp_path, first), PEAK)
        assert files(tmp_path) == [own, "manifest.json"]
    assert files(tmp_path) == ["manifest.json"]
    assert list(read_manifest(tmp_path / "manifest.json").pairs) == names(2)


def test_a_pair_costs_as_many_bytes_in_a_long_list_as_in_a_short_one(tmp_path: Path) -> None:
    """Appended bytes per pair, and those of the manifest at the end, do not grow with the list."""
    per_pair = []
    for count in (20, 200):
        folder = tmp_path / str(count)
        folder.mkdir()
        with Ledger(folder, SETTINGS, WHOLE, names(count)) as ledger:
            sizes = []
            for name in names(count):
                ledger.record(name, made(folder, name), PEAK)
                sizes.append((folder / WHOLE).stat().st_size)
        appended = [after - before for before, after in pairwise(sizes)]
        assert len(set(appended)) == 1  # each line holds its own pair alone
        per_pair.append((appended[0], (folder / "manifest.json").stat().st_size / count))
    assert per_pair[0][0] == per_pair[1][0]
    assert per_pair[1][1] < per_pair[0][1]  # the settings are written once


def test_the_header_says_by_what_settings_a_journal_was_made(tmp_path: Path) -> None:
    killed(tmp_path, names(1))
    header, line = (tmp_path / WHOLE).read_text().splitlines()
    assert json.loads(header) == {"settings_sha256": SETTINGS.sha256}
    assert json.loads(line)["name"] == names(1)[0]
    assert SETTINGS.sha256 != OTHER.sha256
