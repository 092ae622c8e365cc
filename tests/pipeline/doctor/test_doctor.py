"""The doctor under real conditions: other users, full disks, limits, a read-only root."""

import functools
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

import pipeline.doctor.inputs
import pipeline.register.request
from l2r.mounts import all_mounts, find_mounts
from models.weights.registry import VARIABLE
from pipeline.doctor.driver import Driver, as_version, cuda_in, module_version
from pipeline.doctor.examine import CHECKS, plan_for
from pipeline.doctor.gpu import OLDEST, Tried, judge, too_old
from pipeline.doctor.inputs import check_mounts, check_weights
from pipeline.doctor.limits import cpu_quota, memory_limit
from pipeline.doctor.places import check_disk, check_output
from pipeline.doctor.record import Plan
from pipeline.doctor.trial_run import Outcome
from pipeline.doctor.trial_run import judge as judge_outcome
from tests.pipeline.conftest import Command

ROOT = Path(__file__).parents[3]
NOBODY = 4242
"""A user without a name."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


def rows(table: str) -> dict[str, tuple[str, str]]:
    """Status and the rest of the line, by the name of the check."""
    lines = [line.split(maxsplit=2) for line in table.splitlines()]
    return {line[0]: (line[1], line[2]) for line in lines if line and line[0] in CHECKS}


def plan(output: Path, *, device: str = "cpu", expected: bool = True) -> Plan:
    return Plan(device, output, None, expected=expected)


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_good_machine_gets_one_unbroken_line_per_check_and_code_0(
    command: Command, tmp_path: Path
) -> None:
    ran = command("doctor", "--device", "cpu", "--output", tmp_path / "new" / "out")
    assert ran.code == 0, ran.out
    found = rows(ran.out)
    assert list(found) == list(CHECKS)
    assert {status for status, _ in found.values()} <= {"good", "warning"}
    assert f"torch {torch.__version__}" in found["versions"][1]
    assert str(tmp_path / "new" / "out") in found["output"][1]
    assert "Dice 0.62" in found["registration"][1]
    assert "\x1b" not in ran.out
    assert not list(tmp_path.iterdir())  # not even an empty folder
    assert ran.err.splitlines()[-1] == f"[{len(CHECKS)}/{len(CHECKS)}] registration: good"


@pytest.mark.slow
@as_root
def test_it_needs_no_name_no_home_no_network_and_no_writable_root(open_place: Path) -> None:
    place = open_place / "tmp"
    place.mkdir()
    # A user who may read everything, as in an image, and write nothing but the temporary folder.
    script = (
        'mount -t tmpfs -o mode=1777 tmpfs "$1" && mount -o bind,remount,ro / && '
        f"exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups "
        "--inh-caps=-all,+dac_read_search --ambient-caps=+dac_read_search "
        'env -i PATH=/usr/bin TMPDIR="$1" "$2" -m pipeline doctor'
    )
    alone = ["unshare", "--mount", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make namespaces")
    ran = subprocess.run(
        [*alone, "sh", "-c", script, "sh", place, sys.executable],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = rows(ran.stdout)
    assert found["output"][0] == "warning"  # nobody asked for ./output
    assert f"uid {NOBODY}" in found["output"][1]
    assert found["temporary"][0] == found["registration"][0] == "good"


@pytest.mark.parametrize("device", ["tpu", "", "cuda:x", "cpu:0"])
def test_a_device_of_no_known_kind_is_one_line_and_code_2(command: Command, device: str) -> None:
    ran = command("doctor", f"--device={device}")
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert "give auto, cpu, cuda or cuda:n" in ran.err


@pytest.mark.slow
@without_gpu
def test_a_gpu_that_is_asked_for_and_not_there_is_a_blocker(
    command: Command, tmp_path: Path
) -> None:
    ran = command("doctor", "--device", "cuda", "--output", tmp_path)
    assert ran.code == 1
    found = rows(ran.out)
    assert found["GPU"][0] == found["registration"][0] == "blocker"
    assert "--gpus all" in found["GPU"][1]
    assert "torch sees 0 GPUs" in found["registration"][1]
    assert ran.out.splitlines()[-1].startswith("2 blockers")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_that_works_is_good(tmp_path: Path) -> None:
    assert CHECKS["GPU"](plan(tmp_path, device="cuda")).status == "good"


WORKS = Tried("12.6", 1, "NVIDIA H100, 79.1 GiB")
FAILS = Tried("12.6")
NONE = Driver("545.23.06", None, 0)
H100 = Driver("545.23.06", (12, 3), 1)
NO_CODE = "CUDA error: no kernel image is available for execution"
TOO_OLD = (
    "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). "
    "Please update your GPU driver by downloading and installing a new version from the URL"
)


@pytest.mark.parametrize(
    ("driver", "tried", "status", "told"),
    [
        (H100, WORKS, "good", "driver 545.23.06 (CUDA 12.3), torch for CUDA 12.6"),
        (None, WORKS, "good", "NVIDIA H100, 79.1 GiB, torch for CUDA 12.6"),
        (None, FAILS, "warning", "no NVIDIA GPU; the CPU computes"),
        (None, Tried(None), "warning", "no NVIDIA GPU; the CPU computes"),
        (NONE, FAILS, "warning", "driver 545.23.06 is loaded, but no GPU can be seen"),
        (H100, Tried(None), "blocker", "torch's CPU build: install torch for CUDA 12.x"),
        (H100, Tried("13.0"), "blocker", "torch for CUDA 13.0 needs driver 580 or newer"),
        (H100, Tried("14.1"), "blocker", "torch for CUDA 14.1 needs a newer driver"),
        (
            Driver("470.223.02", None, 0),
            Tried("12.6", 0, None, TOO_OLD),
            "blocker",
            "driver 470.223.02 (CUDA 11.4), which torch cannot use | torch for CUDA 12.6 needs "
            "driver 525 or newer: update the driver, or install torch for CUDA 11.x",
        ),
        (
            Driver("545.23.06", None, 0, "Driver/library version mismatch"),
            Tried("12.6", 0, None, "CUDA unknown error"),
            "blocker",
            "Driver/library version mismatch: start container and machine anew",
        ),
        (H100, Tried("12.6", 0, None, "CUDA unknown error"), "blocker", "CUDA unknown error: "),
        (
            H100,
            Tried("12.6", 1, None, NO_CODE, "sm_120, not among sm_50 sm_90"),
            "blocker",
            "torch for CUDA 12.6 has no code for this GPU (sm_120, not among sm_50 sm_90). "
            "CUDA 13.0 knows GPUs since Blackwell: docker build --build-arg TORCH=cu130, or",
        ),
        (
            Driver("580.65.06", (13, 0), 1),
            Tried("13.0", 1, None, NO_CODE, "sm_70, not among sm_75 sm_120"),
            "blocker",
            "CUDA 12.6 is the last that knows GPUs before Turing: docker build --build-arg TORCH=",
        ),
        (H100, Tried("12.6", 2), "blocker", "not the one that is asked for | give --device cuda:0"),
    ],
)
def test_every_way_in_which_a_gpu_fails_has_its_cure(
    driver: Driver | None, tried: Tried, status: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    record = judge(driver, tried, required=False)
    assert record.status == status
    assert told in f"{record.found} | {record.advice}"
    if status == "warning":
        assert judge(driver, tried, required=True).status == "blocker"


def test_a_gpu_that_is_hidden_on_purpose_is_no_blocker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    record = judge(H100, FAILS, required=False)
    assert (record.status, "CUDA_VISIBLE_DEVICES=''" in record.found) == ("warning", True)


@pytest.mark.parametrize(
    ("wheel", "version", "cuda", "expected"),
    [
        ("12.6", "525.60.13", (12, 0), False),  # minor versions are compatible
        ("12.6", "545.23.06", (12, 3), False),
        ("12.6", "580.65.06", (13, 0), False),  # and newer drivers run what is older
        ("12.6", "520.61.05", (11, 8), True),
        ("13.0", "575.51.03", (12, 9), True),
        ("11.8", "450.80.02", (11, 0), False),
        ("12.6", "524.99", None, True),
        ("12.6", "525.60.13", None, False),
        ("13.0", "579.10", None, True),
        ("12.6", None, None, False),
    ],
)
def test_a_driver_is_too_old_for_a_newer_major_version_only(
    wheel: str, version: str | None, cuda: tuple[int, int] | None, expected: bool
) -> None:
    assert too_old(wheel, Driver(version, cuda, 1)) is expected


def test_the_oldest_drivers_are_those_of_nvidias_table() -> None:
    assert OLDEST == {11: 450, 12: 525, 13: 580}


def test_versions_are_found_in_the_texts_of_driver_and_torch(tmp_path: Path) -> None:
    module = tmp_path / "version"
    module.write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.223.02  Sat Oct  7 15:39:11 UTC 2023\n"
        "GCC version:  gcc version 9.4.0 (Ubuntu 9.4.0-1ubuntu1~20.04.2)\n"
    )
    assert module_version(module) == "470.223.02"
    assert module_version(tmp_path / "none") is None
    assert cuda_in(TOO_OLD) == (11, 4)
    assert cuda_in("CUDA unknown error") is None
    assert (as_version(12030), as_version(13000), as_version(0)) == ((12, 3), (13, 0), None)


GROUPS = {
    "v2": {
        "proc/self/cgroup": "0::/job\n",
        "sys/fs/cgroup/job/memory.max": "max\n",
        "sys/fs/cgroup/memory.max": "1073741824\n",
        "sys/fs/cgroup/job/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/cpu.max": "max 100000\n",
    },
    "v2, a container": {
        "proc/self/cgroup": "0::/docker/1234\n",  # which it sees as the root
        "sys/fs/cgroup/memory.max": "1073741824\n",
        "sys/fs/cgroup/cpu.max": "150000 100000\n",
    },
    "v1": {
        "proc/self/cgroup": "4:memory:/slurm/job\n2:cpu,cpuacct:/slurm\n",
        "sys/fs/cgroup/memory/slurm/job/memory.limit_in_bytes": "1073741824\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_quota_us": "150000\n",
        "sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_period_us": "100000\n",
    },
    "none": {
        "proc/self/cgroup": "4:memory:/\n2:cpu:/\n0::/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/unified/memory.max": "max\n",
    },
    "nothing": {},
}


@pytest.mark.parametrize("kind", GROUPS)
def test_limits_are_read_from_both_versions_of_control_groups(kind: str, tmp_path: Path) -> None:
    for name, text in GROUPS[kind].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    limited = kind.startswith("v")
    assert memory_limit(tmp_path) == (2**30 if limited else None)
    assert cpu_quota(tmp_path) == (1.5 if limited else None)


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A real control group with memory for loading torch twice, but for no registration."""
    size = str(300 << 20)
    old, new = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    base, name = (old, "memory.limit_in_bytes") if old.is_dir() else (new, "memory.max")
    group = base / f"regatta-{os.getpid()}"
    try:
        group.mkdir()
        (group / name).write_text(size)
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"needs the right to make a control group: {error}")
    yield group
    group.rmdir()


@pytest.mark.slow
def test_too_little_memory_is_a_blocker_and_the_doctor_lives_to_tell(
    small_group: Path, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [
            "sh", "-c", 'echo $$ > "$1" && exec "$2" -m pipeline doctor --device cpu --output "$3"',
            "sh", small_group / "cgroup.procs", sys.executable, tmp_path,
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1, ran.stdout + ran.stderr
    found = rows(ran.stdout)
    assert found["memory"][0] == found["registration"][0] == "blocker"
    assert "at most 0.3 GiB by a control group" in found["memory"][1]
    assert "killed by SIGKILL, most likely for want of memory" in found["registration"][1]


@pytest.mark.slow
def test_ulimit_and_affinity_count_too() -> None:
    code = (
        "import resource\n"
        "from pathlib import Path\n"
        "from pipeline.doctor.limits import check_cores, check_memory\n"
        "from pipeline.doctor.record import Plan\n"
        "plan = Plan('cpu', Path('.'), None, expected=False)\n"
        "import os; first = min(os.sched_getaffinity(0))\n"
        "import torch; torch.set_num_threads(3); os.sched_setaffinity(0, {first})\n"
        "print(check_cores(plan).status, check_cores(plan).advice)\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_AS)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, hard))\n"
        "print(check_memory(plan).status, check_memory(plan).found)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    cores, memory = ran.stdout.splitlines()
    assert cores.startswith("warning")
    assert cores.endswith("set OMP_NUM_THREADS=1")
    assert memory.startswith("blocker")
    assert memory.endswith("at most 1.0 GiB by ulimit -v")


@as_root
@pytest.mark.parametrize(("owner", "status"), [(0, "blocker"), (NOBODY, "good")])
def test_whether_this_user_may_write_is_tried(open_place: Path, owner: int, status: str) -> None:
    out = open_place / "out"
    out.mkdir()
    os.chown(out, owner, owner)
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from pipeline.doctor.places import check_output\n"
        "from pipeline.doctor.record import Plan\n"
        "os.setgroups([]); os.setgid(4242); os.setuid(4242)\n"
        "record = check_output(Plan('cpu', Path(sys.argv[1]), None, expected=True))\n"
        "print(record.status, record.found, record.advice, sep='|')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, out], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = ran.stdout.strip().split("|")
    assert found[0] == status
    assert f"uid {NOBODY}, gid {NOBODY}" in found[1]
    if status == "blocker":
        assert "Permission denied" in found[1]
        assert f"{out} belongs to 0:0 with mode 755" in found[2]
        assert "chown 4242" in found[2]
    assert not list(out.iterdir())


def test_an_output_below_a_file_is_a_blocker_only_if_it_is_meant(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    record = check_output(plan(tmp_path / "file" / "out"))
    assert (record.status, "Not a directory" in record.found) == ("blocker", True)
    assert check_output(plan(tmp_path / "file" / "out", expected=False)).status == "warning"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_must_hold_the_fields_and_the_one_that_is_being_written(small_disk: Path) -> None:
    assert check_disk(plan(small_disk)).status == "blocker"
    assert check_disk(plan(small_disk, expected=False)).status == "warning"
    assert check_output(plan(small_disk / "below")).status == "good"
    (small_disk / "large").write_bytes(bytes(100 << 20))
    record = check_output(plan(small_disk))
    assert (record.status, "No space left" in record.found) == ("blocker", True)
    assert [path.name for path in small_disk.iterdir()] == ["large"]


REGISTRY = """
[ours]
file = "ours.safetensors"
sha256 = "{}"
network = {{ name = "transmorph_lumir" }}
title = "made up"
source = "this test"
licence = "none"
"""


def test_weights_that_were_tampered_with_are_a_blocker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "ours.safetensors"
    weights.write_bytes(b"trained")
    shipped = check_weights(plan(tmp_path))
    assert shipped.status == "good"
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "registry.toml").write_text(REGISTRY.format(hashlib.sha256(b"trained").hexdigest()))
    assert check_weights(plan(tmp_path)).found.endswith("all with the stated hash")
    weights.write_bytes(b"tampered")
    record = check_weights(plan(tmp_path))
    assert (record.status, "get it again from this test" in record.advice) == ("blocker", True)


@pytest.fixture
def mounted(phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """LUMIR's mounts below another root."""
    shutil.copytree(phantom, tmp_path / "input")
    shutil.copy(phantom / "PHANTOM_dataset.json", tmp_path / "LUMIR_dataset.json")
    there = functools.partial(all_mounts, root=tmp_path)
    monkeypatch.setattr(
        pipeline.register.request, "find_mounts", functools.partial(find_mounts, tmp_path)
    )
    monkeypatch.setattr(pipeline.doctor.inputs, "all_mounts", there)
    monkeypatch.setattr(pipeline.doctor.examine, "all_mounts", there)
    return tmp_path


def test_what_a_challenge_mounts_is_found_read_and_counted(mounted: Path) -> None:
    asked = plan_for(None, "cpu")
    assert (asked.output, asked.expected) == (mounted / "output", True)
    assert check_mounts(asked).found == "lumir24: 2 pairs, 3 images"
    assert "2 fields of 83 MB" in check_disk(asked).found
    asked.output.mkdir()
    (asked.output / "disp_0002_0001.nii.gz").write_bytes(b"made before")
    assert "1 field of 83 MB" in check_disk(asked).found


def missing_image(root: Path) -> None:
    (root / "input/imagesVal/PHANTOM_0003_0000.nii.gz").unlink()


def missing_images(root: Path) -> None:
    shutil.rmtree(root / "input")


def torn_list(root: Path) -> None:
    (root / "LUMIR_dataset.json").write_text('{"validation": [')


def two_challenges(root: Path) -> None:
    (root / "app").mkdir()
    shutil.copy(root / "LUMIR_dataset.json", root / "app/LUMIR25_dataset.json")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (missing_image, "3 images, 1 of which cannot be read | "),
        (missing_images, "none of the images of its 2 pairs"),
        (torn_list, "not valid JSON at line 1"),
        (two_challenges, "more than one pair list is mounted"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_mounts_that_a_run_could_not_use_are_a_blocker(
    mounted: Path, spoil: object, told: str
) -> None:
    spoil(mounted)
    record = check_mounts(plan_for(None, "cpu"))
    assert record.status == "blocker"
    assert told in f"{record.found} | {record.advice}"


@pytest.mark.parametrize(
    ("before", "after", "folds", "status"),
    [
        (0.62, 0.96, 0.0, "good"),
        (0.62, 0.62, 0.0, "blocker"),
        (0.62, 0.10, 0.0, "blocker"),
        (0.62, 0.96, 2.0, "blocker"),
        (0.62, float("nan"), 0.0, "blocker"),
        (0.62, 0.96, float("nan"), "blocker"),
    ],
)
def test_a_registration_that_fails_or_folds_is_a_blocker(
    before: float, after: float, folds: float, status: str
) -> None:
    assert judge_outcome(Outcome(before, after, folds, 1.0, "cpu")).status == status


def processes_about(word: str) -> list[Path]:
    """Those whose command line holds the word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            found += [path] * (word.encode() in path.read_bytes())
    return found


@pytest.mark.slow
def test_an_interrupted_doctor_leaves_nothing_behind(tmp_path: Path) -> None:
    start = (  # a background job of a script would inherit that the signal is ignored
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from pipeline.cli import app; app()"
    )
    call = [sys.executable, "-c", start, "doctor", "--device", "cpu", "--output", tmp_path]
    with subprocess.Popen(
        call, cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        for line in process.stderr:
            if line.startswith("[9/"):
                break
        while not list(tmp_path.glob("regatta-doctor-*/fields")):  # the trial is at work
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert not processes_about(f"{tmp_path}/regatta-doctor-")
    assert not list(tmp_path.glob("regatta-doctor-*"))  # torch leaves a folder of its own


def test_a_bad_device_is_told_without_torch() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from pipeline.cli import app\n"
        "assert CliRunner().invoke(app, ['doctor', '--device', 'tpu']).exit_code == 2\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
