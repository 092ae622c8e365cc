"""Guidance on the command line."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.pipeline.train.test_command import brains, python, run, written

__all__ = ["brains"]  # the fixture

GUIDANCE = """
[[guidance]]
when = { threshold = 0.6 }
similarity = 0.5

[guidance.teacher]
name = "optimiser"
descent = { levels = [{ shrink = 2, control = 2, steps = 3, learning_rate = 0.1 }] }
"""


def guided(path: Path, brains: Path, guidance: str = GUIDANCE, *, batch: int = 1) -> Path:
    written(path, brains, batch=batch)
    path.write_text(path.read_text() + guidance)
    return path


NETWORK = """
[[guidance]]
[guidance.teacher]
name = "network"
epochs = 1
model = { name = "voxelmorph_1", encoder = [4, 8, 8, 8], decoder = [8, 8, 8, 8], extras = [8, 4] }
"""


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [GUIDANCE, NETWORK], ids=["optimiser", "network"])
def test_two_processes_are_one_with_twice_the_batch(
    tmp_path: Path, brains: Path, guidance: str
) -> None:
    one = guided(tmp_path / "one.toml", brains, guidance, batch=2)
    run("train", one, "--data", brains, "--output", tmp_path / "one")
    two = guided(tmp_path / "two.toml", brains, guidance)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    words = ("train", two, "--data", brains, "--output", tmp_path / "two")
    python(*torchrun, "-m", "pipeline", *words)
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("one", "two")]
    for a, b in zip(*logs, strict=True):
        found, expected = json.loads(b)["training"], json.loads(a)["training"]
        assert set(found) == {"similarity", "diffusion", "guidance"}
        assert found == pytest.approx(expected, abs=1e-4)
    assert sum(json.loads(line)["training"]["guidance"] for line in logs[1]) > 1e-4
    single, double = (load_file(tmp_path / n / "last.safetensors") for n in ("one", "two"))
    for name, value in single.items():
        torch.testing.assert_close(double[name], value, rtol=1e-2, atol=1e-4)


@pytest.mark.slow
def test_a_teacher_that_suits_no_grid_of_the_network_is_one_line(
    tmp_path: Path,
    brains: Path,
) -> None:
    model = 'model = { name = "vit_v_net", weights = "other" }'
    config = guided(
        tmp_path / "t.toml",
        brains,
        f'\n[[guidance]]\n[guidance.teacher]\nname = "network"\n{model}\n'
        "[guidance.teacher.refined.descent]\n"
        "levels = [{ shrink = 3, control = 3, steps = 1, learning_rate = 0.1 }]\n",
    )
    done = run("train", config, "--data", brains, "--output", tmp_path / "out", expected=2)
    assert done.stderr.startswith("error: no grid suits both network 'voxelmorph_1' and teacher")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_epochs_of_a_teacher_are_told_as_its_own(tmp_path: Path, brains: Path) -> None:
    config = guided(
        tmp_path / "t.toml",
        brains,
        '\n[[guidance]]\n[guidance.teacher]\nname = "network"\nepochs = 1\n'
        'learns = "once"\nmodel = { name = "voxelmorph_1" }\n',
    )
    done = run("train", config, "--data", brains, "--output", tmp_path / "out")
    first, *others = done.stderr.splitlines()
    assert first.startswith("teacher-1, epoch 1/1; training ")
    assert not any("teacher" in line for line in others)
