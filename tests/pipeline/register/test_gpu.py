"""Run files on a GPU: the fields of a CPU, the same bits again, and too little memory."""

from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch

from l2r.dataset import read_pairs
from l2r.grid import GridRule, working_grid
from l2r.pairs import Pair, Scan
from l2r.prepare import Prepared
from l2r.task import load_task
from models.descent.field import InstanceOptimisationConfig, ResolutionLevel
from models.descent.objective import WeightedRegulariser
from models.losses.diffusion import Diffusion
from models.networks.identity import IdentityConfig
from pipeline.register.config import load_run
from pipeline.register.predict import PredictField
from pipeline.register.records import Predicted
from pipeline.register.refine import RefineField
from pipeline.register.stages import build_stages, place

CONFIGS = Path(__file__).parents[3] / "configs"
NAMES = ["t1_default", "t1_network", "any_fast"]
SHAPE = (128, 128, 128)
SPARE = 64 * 2**20
"""Bytes of a GPU's memory that are left: eight volumes of this shape, a refinement takes more."""


def field(phantom: Path, name: str, device: str) -> np.ndarray:
    stages = build_stages(
        load_run(CONFIGS / f"{name}.toml"),
        load_task(str(phantom / "phantom.toml")),
        torch.device(device),
    )
    return place(stages.refine(stages.predict(prepared(phantom, stages.prepare), None)))


def prepared(phantom: Path, prepare) -> Prepared:
    return prepare(read_pairs(phantom / "PHANTOM_dataset.json", phantom)[0])


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_two_runs_give_the_same_bits(phantom: Path, name: str) -> None:
    first, second = (field(phantom, name, "cuda") for _ in range(2))
    assert first.any()
    assert np.array_equal(first, second)


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_gives_the_field_that_a_cpu_gives(phantom: Path, name: str) -> None:
    """But for rounding, which steps of a descent carry on."""
    expected, found = (field(phantom, name, device) for device in ("cpu", "cuda"))
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.05  # voxels
    assert np.sqrt(np.mean(expected**2)) > 0.2


@pytest.mark.gpu
def test_with_too_little_memory_it_refines_coarser_or_on_the_cpu() -> None:
    config = InstanceOptimisationConfig(
        regularisers=(WeightedRegulariser(weight=0.1, term=Diffusion()),),
        levels=(ResolutionLevel(shrink=1, control=1, steps=2, learning_rate=0.1),),
    )
    refine = RefineField(config, IdentityConfig().build(), torch.device("cuda"))
    predicted = noise(torch.device("cuda"))
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + SPARE) / total)
    try:
        refined = refine(predicted, torch.Generator())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert refined.warnings[0] == "refining on cuda ran out of GPU memory"
    assert refined.field.is_cuda
    assert refined.field.any()


def noise(device: torch.device) -> Predicted:
    """A pair without anatomy, large enough to fill what is left."""
    fixed, moving = np.random.default_rng(0).random((2, *SHAPE), np.float32)
    scan = Scan(PurePosixPath("noise"), Path("noise"))
    grid = working_grid(SHAPE, SHAPE, GridRule())
    prepared = Prepared(Pair(scan, scan), fixed, moving, grid, np.eye(4))
    return PredictField(IdentityConfig().build(), device)(prepared)
