"""Teaching one of several passes on a piece of a pair."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from l2r.dataset import scans_of_folder
from l2r.grid import GridRule
from models.descent.objective import ImagePair, WeightedRegulariser
from models.losses.diffusion import Diffusion
from models.losses.folding import Folding
from models.losses.lncc import Lncc
from models.networks.blocks import FieldHead
from models.networks.passes import MultiPass, PassSettings
from models.networks.pyramid import Pyramid, PyramidConfig
from models.spatial.warp import upsample_field, warp
from models.training.config import TrainConfig, TrainingObjective
from models.training.dataset import generator
from models.training.passes import Piece, TaughtPasses
from models.training.sampling import PairPreprocessor
from models.training.step import Objective
from models.training.synthesis.config import Synthesis
from models.training.synthesis.pairs import SyntheticPairs

CPU = torch.device("cpu")
NETWORK = PyramidConfig(first=4, encoder=(6, 8), decoder=(8, 8))
OBJECTIVE = TrainingObjective(
    similarity=Lncc(window=3, noise=0.02, masked=True),
    regularisers=(
        WeightedRegulariser(weight=1.0, term=Diffusion()),
        WeightedRegulariser(weight=10.0, term=Folding()),
    ),
    label_weight=1.0,
)
SHAPE = (32, 40, 24)


def config(passes: tuple[int, ...], crop: int | None = None, **changes: Any) -> TrainConfig:
    return TrainConfig.model_validate(
        {"model": NETWORK, "passes": passes, "crop": crop, "objective": OBJECTIVE, "epochs": 1}
        | changes
    )


@pytest.fixture
def network() -> Pyramid:
    """Moves things by a voxel or so."""
    torch.manual_seed(0)
    model = NETWORK.build()
    for part in model.modules():
        if isinstance(part, FieldHead):
            nn.init.normal_(part.weight, std=0.1)
    return model


@pytest.fixture
def pair() -> ImagePair:
    """Noise with a border of background, and label maps of four structures."""
    random = torch.Generator().manual_seed(1)
    images = torch.rand(2, 1, 1, *SHAPE, generator=random)
    images[..., :3] = 0
    labels = torch.randint(5, (2, 1, 1, *SHAPE), generator=random)
    return ImagePair(images[0], images[1], (labels[0], labels[1]))


def draws(taught: TaughtPasses, pair: ImagePair, wanted: tuple[int, ...]) -> Iterator[Any]:
    """What is taught with seeds of which the pieces have this shape."""
    for seed in range(40):
        trial, judged = taught(pair, generator(seed))
        if tuple(judged.fixed.shape[2:]) == wanted:
            yield trial, judged


@pytest.mark.slow
@pytest.mark.parametrize("passes", [(2,), (2, 1), (2, 1, 1)])
def test_a_whole_pair_is_taught_what_a_run_does_with_it(
    passes: tuple[int, ...], network: Pyramid, pair: ImagePair
) -> None:
    full = tuple(size // passes[-1] for size in SHAPE)
    whole = TaughtPasses(network, config(passes, crop=10_000))
    with torch.no_grad():
        field, _ = MultiPass(network, PassSettings(passes))(pair.fixed, pair.moving)
    found = [trial.displacement for trial, _ in draws(whole, pair, full)]
    distances = [(upsample_field(said.detach(), passes[-1]) - field).abs().max() for said in found]
    assert field.abs().max() > 0.5
    # Of three passes the second one is drawn too: it has the same grid, but another field.
    assert float(min(distances)) < 1e-4


def test_the_piece_is_compared_with_where_the_field_leads(
    network: Pyramid, pair: ImagePair
) -> None:
    taught = TaughtPasses(network, config((2, 1), crop=16))
    trial, judged = next(draws(taught, pair, (16, 16, 16)))
    piece = _place_of(judged.fixed, pair.fixed)
    field = torch.zeros(1, 3, *SHAPE)
    piece.of(field).copy_(trial.displacement.detach())
    expected = piece.of(warp(pair.moving, field))
    torch.testing.assert_close(trial.warp(judged.moving), expected, rtol=0, atol=1e-4)
    assert judged.labels is not None
    for fixed, moving in zip(*(stack[0] for stack in judged.labels), strict=True):
        numbers = piece.of(pair.labels[0])[0, 0][fixed == 1].unique()
        assert len(numbers) == 1  # one structure a channel
        whole = (pair.labels[1] == numbers).float()
        there = trial.warp(moving[None, None])
        torch.testing.assert_close(there, piece.of(warp(whole, field)), rtol=0, atol=1e-4)


def _place_of(cut: Tensor, whole: Tensor) -> Piece:
    """Where a piece of noise was cut out."""
    size = tuple(cut.shape[2:])
    lengths = zip(whole.shape[2:], size, strict=True)
    places = product(*(range(length - side + 1) for length, side in lengths))
    pieces = (Piece(start, size) for start in places)
    return next(piece for piece in pieces if torch.equal(piece.of(whole), cut))


def test_only_the_pass_that_is_taught_gets_a_gradient(network: Pyramid, pair: ImagePair) -> None:
    calls: list[bool] = []
    network.register_forward_hook(lambda _, __, field: calls.append(field.requires_grad))
    for seed in range(12):
        calls.clear()
        TaughtPasses(network, config((2, 1, 1), crop=16))(pair, generator(seed))
        assert calls in ([True], [False, True], [False, False, True])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_losses_of_a_step_are_finite_and_reach_all_weights(
    precision: str, network: Pyramid, pair: ImagePair
) -> None:
    given = config((2, 1), crop=16, precision=precision)
    losses = Objective(network, given)(pair, generator(3))
    assert tuple(losses) == given.losses == ("similarity", "diffusion", "folding", "labels")
    torch.stack([*losses.values()]).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    bare = Objective(network, given)(replace(pair, labels=None), generator(3))
    assert float(bare["labels"].detach()) == 0


def test_a_piece_of_nothing_is_still_a_piece(network: Pyramid) -> None:
    empty = ImagePair(torch.zeros(1, 1, *SHAPE), torch.zeros(1, 1, *SHAPE))
    trial, judged = TaughtPasses(network, config((1,), crop=16))(empty, generator(0))
    assert judged.fixed.shape == (1, 1, 16, 16, 16)
    assert not trial.warp(judged.moving).any()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"shrink": 2}, r"shrink is called passes now: passes = \[2\]"),
        ({"batch": 2, "data": {"structures": [1]}}, "ask for batch = 1"),
        ({"objective": OBJECTIVE.model_copy(update={"direction": "both_ways"})}, "one_way"),
        ({"guidance": [{"teacher": {"name": "optimiser"}}]}, "no guidance"),
        ({"augment": [{"name": "affine"}]}, "no augmentation that resamples label maps"),
    ],
)
def test_a_training_of_pieces_that_makes_no_sense_is_refused(
    changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError, match=told):
        config((2, 1), **changes)


def test_images_that_are_kept_are_image_once(
    brains: Any, preprocessor: PairPreprocessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[int] = []
    original = SyntheticPairs._image
    monkeypatch.setattr(
        SyntheticPairs,
        "_image",
        lambda *words: painted.append(1) or original(*words),
    )
    wanted = replace(preprocessor, rule=GridRule(16), labels=True, maps=True)
    maps = scans_of_folder(brains / "labelsVal")[:2]
    source = SyntheticPairs(maps, wanted, Synthesis(pairs=20, kept=2, one_map=0.5), seed=5)
    cases = [source.read(0, number)(CPU) for number in range(20)]
    assert len(painted) == 4  # two of each map
    again = source.read(0, 3)(CPU)
    assert torch.equal(again.fixed, cases[3].fixed)
    assert not any(torch.equal(case.fixed, case.moving) for case in cases)
    assert cases[0].labels is not None
    assert not cases[0].labels[0].is_floating_point()
    other = SyntheticPairs(maps, wanted, Synthesis(pairs=20, kept=2), seed=6)
    assert not any(torch.equal(other.read(0, 0)(CPU).fixed, c.fixed) for c in cases)
