"""Files of any kind: whole or not there, and known by their content."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2r.disk import TEMPORARY, can_see, make_folder, sha256, write_csv, writing
from l2r.errors import OutputError


def test_a_file_appears_under_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    with writing(path) as file:
        file.write(b"half")
        assert not path.exists()
        (unfinished,) = tmp_path.iterdir()
        assert unfinished.name.startswith(".report.json.")
        assert unfinished.name.endswith(TEMPORARY)
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_is_written_with_its_heading_and_quotes_where_they_are_needed(
    tmp_path: Path,
) -> None:
    write_csv(tmp_path / "a.csv", ["name", "value"], [("one, two", 0.1), (None, float("inf"))])
    assert (tmp_path / "a.csv").read_text() == 'name,value\n"one, two",0.1\n,inf\n'


def test_two_can_write_under_one_name_and_the_last_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    with writing(path) as first, writing(path) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(number: int) -> None:
        events.append("flushed")
        fsync(number)

    def recorded_replace(self: Path, target: Path) -> Path:
        events.append(f"named, {self.stat().st_size} bytes")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    with writing(tmp_path / "report.json") as file:
        file.write(b"12345")
    assert events == ["flushed", "named, 5 bytes"]


@given(st.binary(max_size=64))
def test_a_hash_is_that_of_the_content(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    assert sha256(path) == hashlib.sha256(content).hexdigest()


def test_a_known_hash(tmp_path: Path) -> None:
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == known


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_what_a_folder_hides_from_this_user_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir(mode=0o700)
    (tmp_path / "hidden" / "a.nii.gz").touch()
    assert can_see(tmp_path / "hidden" / "a.nii.gz")
    assert not can_see(tmp_path / "hidden")
    code = (
        "import os, sys; from pathlib import Path; from l2r.disk import can_see\n"
        "os.setuid(4242); sys.exit(can_see(Path(sys.argv[1])))\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "hidden" / "a.nii.gz"]
    assert subprocess.run(command, check=False).returncode == 0


def test_a_folder_is_made_with_all_above_it_or_named(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/b: cannot be made: Not a directory"):
        make_folder(tmp_path / "file" / "b")
