"""`python -m pipeline train`, as its user sees it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from l2r.phantom import write_phantom
from pipeline.train.command import left_behind

ROOT = Path(__file__).parents[3]
TRAINING = """\
task = "{task}"
epochs = {epochs}
learning_rate = 1e-3
batch = {batch}

[model]
{model}

[data]
both_orders = true

[objective]
similarity = {{ name = "lncc", window = 5 }}
regularisers = [{{ weight = 0.1, term = {{ name = "diffusion" }} }}]
"""
MODEL = """\
name = "voxelmorph_1"
encoder = [4, 8, 8, 8]
decoder = [8, 8, 8, 8]
extras = [8, 4]
"""


@pytest.fixture(scope="session")
def brains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of four images to train on and two pairs to judge by; do not write into it."""
    folder = tmp_path_factory.mktemp("brains")
    dataset = write_phantom(folder, shape=(16, 16, 16), subjects=5)
    listed = json.loads(dataset.read_text())
    images = sorted({pair[side] for pair in listed["validation"] for side in ("fixed", "moving")})
    listed["training"] = [{"image": name} for name in images[:4]]
    listed["validation"] = listed["validation"][:2]
    dataset.write_text(json.dumps(listed))
    return folder


@pytest.fixture
def config(tmp_path: Path, brains: Path) -> Path:
    return written(tmp_path / "training.toml", brains)


def written(
    path: Path, brains: Path, *, epochs: int = 2, batch: int = 1, model: str = MODEL
) -> Path:
    task = brains / "phantom.toml"
    path.write_text(TRAINING.format(task=task, epochs=epochs, batch=batch, model=model))
    return path


ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}


def python(*words: object, expected: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env=ONE_THREAD,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expected, done.stderr
    return done


def run(*words: object, expected: int = 0) -> subprocess.CompletedProcess[str]:
    return python("-m", "pipeline", *words, expected=expected)


@pytest.mark.slow
def test_trained_weights_register_pairs(tmp_path: Path, brains: Path, config: Path) -> None:
    out = tmp_path / "out"
    done = run("train", config, "--data", brains, "--output", out)
    lines = done.stderr.splitlines()
    assert [line.split(";")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("validation" in line and "DSC" in line for line in lines)
    files = "weights (last.safetensors, best.safetensors) and log"
    assert done.stdout == f"finished; {files} are in {out}\n"
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log] == [1, 2]
    assert 0 < log[1]["scores"]["DSC"] < 1
    assert (out / "best.safetensors").is_file()

    task = brains / "phantom.toml"
    run_file = tmp_path / "run.toml"
    run_file.write_text(f'[model]\nweights = "{out / "last.safetensors"}"\n{MODEL}')
    dataset = brains / "PHANTOM_dataset.json"
    words = ("--task", task, "--dataset", dataset, "--output", tmp_path / "fields")
    run("run", "--config", run_file, *words)
    scores = tmp_path / "metrics.json"
    python("-m", "eval", "score", tmp_path / "fields", *words[:4], "--output", scores)
    found = json.loads(scores.read_text())["aggregates"]
    for name in ("DSC", "Non-diffeomorphic Volumes"):
        assert found[name]["mean"] == pytest.approx(log[1]["scores"][name], abs=1e-6)


@pytest.mark.slow
def test_a_training_is_taken_up_only_if_asked_to(
    tmp_path: Path, brains: Path, config: Path
) -> None:
    words = ("train", config, "--data", brains, "--output", tmp_path / "out")
    run(*words)
    again = run(*words, expected=2)
    assert "holds a training that was begun before; add --resume" in again.stderr
    assert run(*words, "--resume").stdout.startswith("finished")


@pytest.mark.slow
def test_asked_to_end_it_saves_and_goes_on_in_the_same_bits(tmp_path: Path, brains: Path) -> None:
    config = written(tmp_path / "training.toml", brains, epochs=12)
    run("train", config, "--data", brains, "--output", tmp_path / "whole")
    words = ("train", config, "--data", brains, "--output", tmp_path / "cut")
    command = [sys.executable, "-m", "pipeline", *map(str, words)]
    with subprocess.Popen(
        command, cwd=ROOT, env=ONE_THREAD, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        process.stderr.readline()  # the first epoch
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1
    assert len((tmp_path / "cut" / "log.jsonl").read_text().splitlines()) < 12
    run(*words, "--resume")
    whole, cut = (load_file(tmp_path / name / "last.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


@pytest.mark.slow
def test_two_processes_are_one_with_twice_the_batch(tmp_path: Path, brains: Path) -> None:
    one = written(tmp_path / "one.toml", brains, batch=2)
    run("train", one, "--data", brains, "--output", tmp_path / "one")
    two = written(tmp_path / "two.toml", brains)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    words = ("train", two, "--data", brains, "--output", tmp_path / "two")
    python(*torchrun, "-m", "pipeline", *words)
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("one", "two")]
    assert len(logs[1]) == 2
    for a, b in zip(*logs, strict=True):
        assert json.loads(b)["training"] == pytest.approx(json.loads(a)["training"], abs=1e-5)
    single, double = (load_file(tmp_path / n / "last.safetensors") for n in ("one", "two"))
    for name, value in single.items():
        torch.testing.assert_close(double[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, brains: Path) -> None:
    config, out = written(tmp_path / "training.toml", brains, epochs=12), tmp_path / "out"
    words = ("train", config, "--data", brains, "--output", out)
    run(*words, "--time-budget", 1, expected=1)
    before = (out / "checkpoint.pt").read_bytes()
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"
    start = "from pipeline.cli import app; app()"
    done = python("-c", f"{limit}; {start}", *words, "--resume", expected=2)
    assert "cannot be written" in done.stderr.splitlines()[-1]
    assert (out / "checkpoint.pt").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("{}", "no training list"),
        ('{"training": ["a.nii.gz"]}', "one image only"),
        ('{"training": [3]}', "input should be"),
        ('{"training": [{"image": "../a.nii.gz"}, {"image": "b.nii.gz"}]}', "leaves the input"),
        ('{"training": [{"image": "a.nii.gz"}, {"image": "./a.nii.gz"}]}', "more than once"),
        ('{"training": [{"image": "a.nii.gz"}]}', "one image only"),
        ('{"training": [{"image": "a.nii.gz"}, {"image": "b.nii.gz"}]}', "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_line(
    tmp_path: Path, config: Path, listed: str, message: str
) -> None:
    (tmp_path / "X_dataset.json").write_text(listed)
    done = run("train", config, "--data", tmp_path, "--output", tmp_path / "out", expected=2)
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


@pytest.mark.slow
def test_a_folder_without_images_and_one_with_two_lists(tmp_path: Path, config: Path) -> None:
    words = ("train", config, "--output", tmp_path / "out", "--data")
    (tmp_path / "empty").mkdir()
    assert "no .nii" in run(*words, tmp_path / "empty", expected=2).stderr
    assert "no such folder" in run(*words, tmp_path / "gone", expected=2).stderr
    for name in ("A_dataset.json", "B_dataset.json"):
        (tmp_path / name).write_text("{}")
    assert "several pair lists" in run(*words, tmp_path, expected=2).stderr


@pytest.mark.slow
def test_values_of_the_command_line_are_trained_with_and_recorded(
    tmp_path: Path, brains: Path, config: Path
) -> None:
    words = ("--data", brains, "--set", "epochs=1", "--set", "objective.similarity.window=3")
    words = (*words, "--set", "best_by=dice")  # the validator of the command knows it
    run("train", config, *words, "--output", tmp_path / "out")
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["overrides"] == ["epochs=1", "objective.similarity.window=3", "best_by=dice"]
    assert record["training"]["objective"]["similarity"]["window"] == 3
    assert len((tmp_path / "out" / "log.jsonl").read_text().splitlines()) == 1
    assert (tmp_path / "out" / "best.safetensors").is_file()


def test_what_is_left_of_a_training_is_said_by_what_is_there(tmp_path: Path) -> None:
    nothing = "no epoch is done, so there are no weights yet"
    assert left_behind(tmp_path).startswith(f"{nothing}; the record of its settings is in")
    (tmp_path / "checkpoint.pt").touch()
    assert left_behind(tmp_path) == f"{nothing}; its checkpoint is in {tmp_path}"
    (tmp_path / "last.safetensors").touch()
    assert left_behind(tmp_path) == f"weights (last.safetensors) and log are in {tmp_path}"
