"""Nothing in a step makes a GPU wait: tensors of the device `meta` have no values to wait for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from models.descent.field import InstanceOptimisationConfig
from models.descent.loop import Goal, StopConditions, descend
from models.descent.objective import ImagePair
from models.descent.transform import FieldTransform
from models.losses.anatomy import SoftLabelPair
from models.losses.catalog import Regulariser, SingleSimilarity
from models.losses.consistency import GradIcon
from models.segmentation.structures import STRUCTURES
from models.spatial.parametrisation import Displacement, TimeVaryingVelocity, Velocity
from models.spatial.warp import resize_field
from pipeline.register.config import load_run

META = torch.device("meta")
RUN_FILES = sorted(Path(__file__).parents[3].glob("configs/**/[ast]*.toml"))
REFINED = [path for path in RUN_FILES if "train" not in path.parts and load_run(path).refine]
DRAWS = {GradIcon}
"""Terms that bring places from the host, where all devices draw alike."""


class Transfers(TorchDispatchMode):
    """Notes copies from one device to another, and readings of single values."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(
        self, op: Callable, types: object, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = op(*args, **(kwargs or {}))
        devices = {value.device for value in (*args, result) if isinstance(value, Tensor)}
        if len(devices) > 1 or "local_scalar" in str(op):
            self.seen.append(str(op))
        return result


def volume(channels: int, size: int = 16) -> Tensor:
    return torch.empty(1, channels, size, size, size, device=META)


@pytest.mark.parametrize("path", REFINED, ids=lambda path: path.stem)
def test_losses_and_gradients_of_a_run_file_are_computed_without_a_wait(path: Path) -> None:
    (config,) = load_run(path).refine
    assert isinstance(config, InstanceOptimisationConfig)
    soft = SoftLabelPair(*(volume(len(STRUCTURES), 8) for _ in range(2)), STRUCTURES)
    pair, random = ImagePair(volume(1), volume(1), anatomy=soft), torch.Generator()
    for level in config.levels:
        shrunk = pair.shrunk(level.shrink)
        size = 16 // level.control
        with Transfers() as transfers:
            objective = config.bind(shrunk, level.similarity, random)
            parameters = resize_field(volume(3, 1), (size, size, size)).requires_grad_()
            transform = FieldTransform(shrunk.fixed, config.parametrisation, parameters, None)
            combined = config.combine(objective(transform), [parameters], random)
        assert combined.gradients[0].shape == parameters.shape
        assert not transfers.seen


@pytest.mark.parametrize("kind", get_args(get_args(SingleSimilarity)[0]))
def test_no_similarity_waits(kind: Callable) -> None:
    warped = volume(1).requires_grad_()
    with Transfers() as transfers:
        torch.autograd.grad(kind().bind(volume(1))(warped), warped)
    assert not transfers.seen


@pytest.mark.parametrize("parametrisation", [Velocity(), TimeVaryingVelocity(), Displacement()])
@pytest.mark.parametrize("kind", [k for k in get_args(get_args(Regulariser)[0]) if k not in DRAWS])
def test_no_regulariser_waits_whatever_is_optimised(kind: Callable, parametrisation: Any) -> None:
    parameters = torch.empty(parametrisation.parts, 3, 16, 16, 16, device=META).requires_grad_()
    with Transfers() as transfers:
        transform = FieldTransform(volume(1), parametrisation, parameters, None)
        torch.autograd.grad(kind().penalty(transform, torch.Generator()), parameters)
    assert not transfers.seen


def test_the_loop_reads_no_single_value() -> None:
    x = torch.zeros(5, requires_grad=True)
    goal = Goal(lambda: {"a": (x - 1).square().sum(), "b": x.square().sum()})
    optimiser = torch.optim.SGD([x], lr=0.1)  # Adam reads its number of steps, on the host
    with Transfers() as transfers:
        descent = descend([x], goal, optimiser, StopConditions(4))
    assert len(descent.losses) == 5
    assert not transfers.seen
