import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.autograd import DeviceType

from benchmarks.gpu import gpu_tests, pack, supervise
from benchmarks.gpu.end_to_end import utilisation
from benchmarks.gpu.operations import (
    MARGIN,
    WINDOW,
    correlation_by_pooling,
    correlation_by_sums,
    plain_penalty,
    plain_warp,
)
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.profile import device_ms
from benchmarks.gpu.record import Measurement, Part, Setting, append, read, write_tables
from benchmarks.gpu.worker import measure_part, share
from models.losses.folding import dense_penalty
from models.spatial.warp import warp

ROOT = Path(__file__).parents[2]


def setting(tmp_path: Path, until: float = float("inf")) -> Setting:
    cpu = torch.device("cpu")
    return Setting(cpu, "any", tmp_path / "list.json", (16, 16, 16), tmp_path, tmp_path, until)


@pytest.mark.slow
def test_on_a_cpu_it_measures_parts_in_their_order_and_ends_in_time(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--minutes", "0.7"]
    ran = subprocess.run(
        [*words, "--output", tmp_path / "out"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = read(tmp_path / "out")
    begun = [line["part"] for line in lines if "number" in line]
    assert begun == [part.title for part in PARTS][: len(begun)]
    assert {"Machine", "Presets on two pairs"} <= set(begun)
    found = {(line["part"], line["row"]): line["found"] for line in lines if "row" in line}
    default = found["Presets on two pairs", "t1_default"]
    assert default["Dice"] > 0.8
    assert default["refine s"] > 0
    assert (tmp_path / "out" / "results.md").read_text() in ran.stdout
    assert {path.suffix for path in (tmp_path / "out").iterdir()} <= {".jsonl", ".md", ".txt"}


def test_rows_become_a_table_for_each_part(tmp_path: Path) -> None:
    append(tmp_path, {"part": "A", "number": 0, "until": 1.0})
    append(tmp_path, {"part": "A", "row": "one", "found": {"ms": 1.23456, "note": "x|y"}})
    append(tmp_path, {"part": "A", "row": "two", "found": {"failed": "no memory"}})
    append(tmp_path, {"part": "B", "number": 1, "until": 2.0})
    expected = [
        "## A", "",
        "|  | ms | note | failed |", "| --- | --- | --- | --- |",
        "| one | 1.235 | x/y |  |", "| two |  |  | no memory |", "",
        "## B", "", "Nothing.",
    ]  # fmt: skip
    assert write_tables(tmp_path).splitlines() == expected
    assert (tmp_path / "results.md").read_text().splitlines() == expected


def test_a_measurement_that_fails_costs_only_itself(tmp_path: Path) -> None:
    def fail() -> dict[str, float]:
        raise ValueError("too small\nby far")

    def measurements(_: Setting) -> Iterator[Measurement]:
        yield Measurement("bad", fail)
        yield Measurement("good", lambda: {"ms": 1.0})

    measure_part(Part("A", 1, measurements), setting(tmp_path))
    bad, good = read(tmp_path)
    assert bad["found"] == {"failed": "ValueError: too small by far"}
    assert good["found"] == {"ms": 1.0}


def test_when_its_time_is_over_a_part_begins_no_measurement(tmp_path: Path) -> None:
    part = Part("A", 1, lambda _: iter([Measurement("late", lambda: {"ms": 1.0})]))
    measure_part(part, setting(tmp_path, until=time.time() - 1))
    assert read(tmp_path) == []


def test_the_time_that_is_left_is_shared_by_what_is_left() -> None:
    parts = tuple(Part(name, seconds, lambda _: iter(())) for name, seconds in (("a", 1), ("b", 3)))
    assert share(parts, 8.0) == 2.0
    assert share(parts[1:], 8.0) == 8.0


def test_a_worker_that_hangs_is_ended_and_one_that_crashes_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "GRACE_S", 0.0)
    append(tmp_path, {"part": "A", "number": 0, "until": time.time()})
    hanging = worker("import time; time.sleep(600)")
    assert supervise._watch(hanging, tmp_path, 0, time.time() + 60) == "took too long, ended"
    assert hanging.poll() is not None
    crashing = worker("import os; os._exit(7)")
    assert supervise._watch(crashing, tmp_path, 1, time.time() + 60) == "ended with code 7"
    assert supervise._watch(worker("pass"), tmp_path, 1, time.time() + 60) is None


def worker(code: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code], start_new_session=True)


def test_a_machine_without_the_device_is_told_apart_from_one_that_hangs(tmp_path: Path) -> None:
    supervise.supervise(tmp_path, 1, "quantum")
    (line,) = read(tmp_path)
    assert line["found"] == {"failed": "ended with code 1"}


def test_it_does_not_load_torch_before_a_worker_does() -> None:
    code = "import sys, benchmarks.gpu.supervise; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_tests_that_it_runs_are_all_that_are_marked() -> None:
    names = {path.name for path in gpu_tests.files()}
    assert {"test_gpu.py", "test_folding.py", "test_deterministic.py", "test_doctor.py"} <= names
    assert all("mark.gpu" in path.read_text() for path in gpu_tests.files())


@pytest.mark.slow
def test_a_file_that_cannot_be_imported_costs_other_files_nothing(tmp_path: Path) -> None:
    broken, sound = tmp_path / "test_broken.py", tmp_path / "test_sound.py"
    broken.write_text("import no_such_module\n")
    sound.write_text("import pytest\n\n\n@pytest.mark.gpu\ndef test_sound(): ...\n")
    found = gpu_tests.run(setting(tmp_path), [broken, sound])
    assert found["passed"] == 1
    assert found["exit code"] == 1


def test_outcomes_of_tests_are_counted_as_far_as_they_got() -> None:
    text = """
    collecting ... collected 4 items
tests/a.py::test_one[x] PASSED                                    [ 25%]
tests/a.py::test_two PASSED                                         [ 50%]
tests/a.py::test_three SKIPPED (no GPU here)                        [ 75%]
tests/b.py::test_four FAILED                                        [100%]
FAILED tests/b.py::test_four - assert 1 == 2
tests/b.py::test_five"""
    assert gpu_tests.outcomes(text) == {
        "passed": 2, "skipped": 1, "failed": 1, "which failed": "tests/b.py::test_four",
    }  # fmt: skip


def event(device: DeviceType, ms: float, *, annotation: bool = False) -> SimpleNamespace:
    return SimpleNamespace(
        device_type=device, self_device_time_total=1e3 * ms, is_user_annotation=annotation
    )


def test_a_kernel_counts_once_not_again_with_what_began_it() -> None:
    kernel, copy = event(DeviceType.CUDA, 3), event(DeviceType.CUDA, 2)
    operation, step = event(DeviceType.CPU, 3), event(DeviceType.CUDA, 5, annotation=True)
    assert device_ms([operation, kernel, copy, step]) == 5


def test_without_an_answer_of_the_driver_a_list_is_measured_all_the_same(tmp_path: Path) -> None:
    with utilisation(replace(setting(tmp_path), device=torch.device("cuda:99"))) as samples:
        assert samples == []  # no machine has a hundred GPUs
    assert samples == []


def test_plain_operations_are_what_ours_are_compared_with() -> None:
    torch.manual_seed(0)
    fixed, moving = torch.rand(2, 1, 1, 24, 24, 24, dtype=torch.float64)
    field = torch.randn(1, 3, 24, 24, 24, dtype=torch.float64)
    torch.testing.assert_close(plain_warp(moving, field), warp(moving, field))
    torch.testing.assert_close(plain_penalty(field[0]), dense_penalty(field[0], MARGIN))
    torch.testing.assert_close(
        correlation_by_sums(fixed, moving), correlation_by_pooling(fixed, moving)
    )
    assert WINDOW % 2 == 1


def test_the_pack_has_every_package_of_a_run_but_those_that_come_with_torch() -> None:
    names = {pin.partition("==")[0] for pin in pack.pins()}
    locked = set(re.findall(r"^(\S+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert locked - names == pack.THERE & locked
    assert names >= pack.TESTS
    assert len(names) == len(pack.pins())


def test_wheels_are_asked_for_by_version_and_for_the_python_that_is_there() -> None:
    words = pack.download(["a==1"], Path("folder"), "3.12")
    assert words[words.index("--python-version") + 1] == "3.12"
    assert {"--no-deps", "--only-binary=:all:", "manylinux_2_28_x86_64"} <= set(words)
    assert words[-1] == "a==1"


@pytest.mark.parametrize(
    "words", [("gpu.sh", "{}/out"), ("leg.sh", "{}/brains.tar", "{}/out", "config.toml")]
)
def test_without_wheels_the_script_says_how_to_get_them(tmp_path: Path, words: list[str]) -> None:
    script, *given = words
    ran = subprocess.run(
        [ROOT / "benchmarks" / script, *(word.format(tmp_path) for word in given)],
        env={"PATH": "/usr/bin:/bin", "PACK": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "make gpu-pack" in ran.stderr
    assert not (tmp_path / "out").exists()
