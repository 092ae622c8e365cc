"""Parts of a pair list: together they are the whole, and they may run side by side."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from l2r.errors import ConfigError
from l2r.phantom import write_phantom
from pipeline.register.request import Job, RunRequest, resolve
from pipeline.register.shard import Shard
from tests.pipeline.conftest import Command

ROOT = Path(__file__).parents[3]
Words = Sequence[str | Path]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up challenge of seven pairs."""
    folder = tmp_path_factory.mktemp("many")
    write_phantom(folder, subjects=8)
    return folder


@pytest.fixture
def words(many: Path, quick: Path) -> Words:
    """The arguments of a quick run on the seven pairs, without its output."""
    return (
        *("--config", quick, "--device", "cpu", "--task", many / "phantom.toml"),
        *("--dataset", many / "PHANTOM_dataset.json"),
    )


def recorded(path: Path) -> list[str]:
    """The names of the pairs of a journal, without its header."""
    return [json.loads(line)["name"] for line in path.read_text().splitlines()[1:]]


def fields(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("disp_*")}


def start(words: Words, out: Path, shard: str) -> subprocess.Popen[str]:
    call = [sys.executable, "-m", "pipeline", "run", *map(str, words)]
    return subprocess.Popen(
        [*call, "--output", str(out), "--shard", shard],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def resolved(many: Path, shard: str | None, limit: int | None = None) -> Job:
    dataset, task = many / "PHANTOM_dataset.json", str(many / "phantom.toml")
    return resolve(RunRequest(dataset=dataset, task=task, limit=limit, shard=shard))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 9])
@pytest.mark.parametrize("limit", [None, 4])
def test_shards_make_the_whole_and_differ_by_one_pair_at_most(
    many: Path, count: int, limit: int | None
) -> None:
    whole = resolved(many, None, limit)
    parts = [resolved(many, f"{number}/{count}", limit) for number in range(1, count + 1)]
    names = [name for part in parts for name in part.pairs]
    assert sorted(names) == sorted(whole.pairs)
    assert len(names) == limit or len(names) == 7
    sizes = [len(part.pairs) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    for part in parts:
        assert {*part.pairs, *part.others} == set(whole.pairs)
        assert [name for name in whole.pairs if name in part.pairs] == list(part.pairs)


def test_neighbours_of_the_list_go_to_different_shards(many: Path) -> None:
    whole = list(resolved(many, None).pairs)
    assert list(resolved(many, "2/3").pairs) == [whole[1], whole[4]]


@pytest.mark.parametrize(
    ("shard", "told"),
    [
        ("0/4", "there are shards 1/4 to 4/4"),
        ("5/4", "there are shards 1/4 to 4/4"),
        ("1/0", "at least one part"),
        ("a/b", "must look like 2/4"),
        ("1/" + "9" * 5000, "must look like 2/4"),
        ("1", "must look like 2/4"),
        ("", "must look like 2/4"),
        ("-1/4", "must look like 2/4"),
        ("1/4 ", "must look like 2/4"),
        ("\u0661/\u0664", "must look like 2/4"),
    ],
)
def test_a_bad_shard_is_one_line_and_code_2(
    command: Command, words: Words, tmp_path: Path, shard: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        Shard.parse(shard)
    ran = command("run", *words, "--output", tmp_path / "out", f"--shard={shard}")
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert told in ran.err
    assert not (tmp_path / "out").exists()


def test_a_shard_without_pairs_ends_well_and_without_torch(words: Words, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from pipeline.cli import app\n"
        "ran = CliRunner().invoke(app, sys.argv[1:])\n"
        "assert ran.exit_code == 0, ran.output\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
        "print(ran.output)\n"
    )
    call = ["run", *map(str, words), "--output", str(tmp_path / "out"), "--shard", "8/8"]
    ran = subprocess.run(
        [sys.executable, "-c", code, *call], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == "shard 8/8: none of the 7 pairs is left for it"
    assert not (tmp_path / "out").exists()


def scores(command: Command, folder: Path, many: Path) -> object:
    dataset, task = many / "PHANTOM_dataset.json", many / "phantom.toml"
    checked = command("check", folder, "--dataset", dataset, "--task", task)
    assert (checked.code, "would accept all 7 fields" in checked.out) == (0, True), checked.out
    metrics = folder.with_suffix(".json")
    subprocess.run(
        [
            sys.executable, "-m", "eval", "score", folder, "--task", task, "--dataset", dataset,
            "--output", metrics,
        ],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    return json.loads(metrics.read_text())


@pytest.mark.slow
def test_two_shards_at_once_in_one_folder_give_what_one_run_gives(
    command: Command, words: Words, many: Path, tmp_path: Path
) -> None:
    assert command("run", *words, "--output", tmp_path / "one").code == 0
    both = [start(words, tmp_path / "two", f"{number}/2") for number in (1, 2)]
    for process, told in zip(both, ("4 done", "3 done"), strict=True):
        out, err = process.communicate(timeout=300)
        assert (process.returncode, out.split(" in ")[0]) == (0, told), err
    assert fields(tmp_path / "two") == fields(tmp_path / "one")
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == [
        *sorted(fields(tmp_path / "one")),
        "manifest.json",
    ]
    whole, gathered = (
        json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("one", "two")
    )
    assert gathered["settings"] == whole["settings"]
    hashes = [
        {name: entry["field_sha256"] for name, entry in manifest["pairs"].items()}
        for manifest in (whole, gathered)
    ]
    assert hashes[0] == hashes[1]
    assert scores(command, tmp_path / "two", many) == scores(command, tmp_path / "one", many)
    assert command("run", *words, "--output", tmp_path / "two").out.startswith("7 skipped")


@pytest.mark.slow
def test_a_shard_records_its_own_pairs_and_the_last_one_puts_all_together(
    command: Command, words: Words, many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert command("run", *words, "--output", out, "--shard", "2/2").out.startswith("3 done")
    assert sorted(path.name for path in out.glob("manifest*")) == ["manifest.2-of-2.jsonl"]
    own = recorded(out / "manifest.2-of-2.jsonl")
    assert sorted(own) == sorted(fields(out))
    dataset, task = many / "PHANTOM_dataset.json", many / "phantom.toml"
    checked = command("check", out, "--dataset", dataset, "--task", task)
    assert (checked.code, "4 problems, 0 warnings" in checked.out) == (1, True), checked.err
    assert command("run", *words, "--output", out, "--shard", "1/2").out.startswith("4 done")
    assert [path.name for path in out.glob("manifest*")] == ["manifest.json"]


def test_resuming_works_per_shard_and_across_other_divisions(
    command: Command, words: Words, tmp_path: Path
) -> None:
    out = ("--output", tmp_path / "out")
    command("run", *words, *out, "--shard", "1/3")
    again = command("run", *words, *out, "--shard", "1/3")
    assert again.out.startswith("3 skipped")
    other = command("run", *words, *out, "--shard", "3/4")
    assert sorted(other.out.split(" in ")[0].split(", ")) == ["1 done", "1 skipped"]
    own = recorded(tmp_path / "out" / "manifest.3-of-4.jsonl")
    assert own == ["disp_0004_0003.nii.gz"]  # no copy of what others may change
    whole = command("run", *words, *out)
    assert sorted(whole.out.split(" in ")[0].split(", ")) == ["3 done", "4 skipped"]
    assert [path.name for path in (tmp_path / "out").glob("manifest*")] == ["manifest.json"]
    assert command("run", *words, *out, "--shard", "2/2").out.startswith("3 skipped")


@pytest.mark.slow
def test_a_shard_with_other_settings_does_not_vouch_for_the_whole(
    command: Command, words: Words, quick: Path, tmp_path: Path
) -> None:
    out = ("--output", tmp_path / "out")
    command("run", *words, *out, "--shard", "1/2")
    quick.write_text(quick.read_text().replace("weight = 0.1", "weight = 0.2"))
    assert command("run", *words, *out, "--shard", "2/2").out.startswith("3 done")
    assert sorted(path.name for path in (tmp_path / "out").glob("manifest*")) == [
        "manifest.1-of-2.jsonl",
        "manifest.2-of-2.jsonl",
    ]
    assert command("run", *words, *out, "--shard", "1/2").out.startswith("4 done")
    assert [path.name for path in (tmp_path / "out").glob("manifest*")] == ["manifest.json"]


def test_a_shard_spares_what_another_has_not_finished(
    command: Command, words: Words, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    own, other = (out / f".disp_000{n}_000{n - 1}.nii.gz.0a1b.part" for n in (2, 3))
    for path in (own, other):
        path.write_bytes(b"half")
    assert command("run", *words, "--output", out, "--shard", "1/2").code == 0
    assert (own.exists(), other.exists()) == (False, True)


@pytest.mark.slow
def test_a_killed_shard_is_finished_while_another_one_works(
    command: Command, words: Words, tmp_path: Path
) -> None:
    command("run", *words, "--output", tmp_path / "one")
    out = tmp_path / "two"
    killed, other = (start(words, out, shard) for shard in ("1/2", "2/2"))
    end = time.monotonic() + 60
    while not (out / "manifest.1-of-2.jsonl").exists() and time.monotonic() < end:
        time.sleep(0.005)
    killed.kill()
    killed.communicate()
    again = start(words, out, "1/2")
    for process in (again, other):
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert fields(out) == fields(tmp_path / "one")
    left = sorted(path.name for path in out.iterdir() if not path.name.startswith("disp_"))
    assert left == ["manifest.json"]
