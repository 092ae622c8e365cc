import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from models.optim.fadam import FAdam
from models.optim.optimisers import AdamConfig, AdamWConfig, FAdamConfig, Optimiser, SgdConfig

ALL: list[Optimiser] = [AdamConfig(), AdamWConfig(), SgdConfig(), FAdamConfig(weight_decay=0.0)]
read = TypeAdapter(Optimiser).validate_python


def parameters() -> list[Tensor]:
    return [torch.linspace(-1, 2, 6).view(2, 3).requires_grad_(), torch.ones(4, requires_grad=True)]


def run(config: Optimiser, learning_rate: float = 0.1, steps: int = 6) -> list[Tensor]:
    """Parameters after a few steps on gradients of very different sizes."""
    given = parameters()
    optimiser = config.build(given, learning_rate)
    for step in range(steps):
        for parameter in given:
            parameter.grad = (parameter.detach() + step).sin() * 10.0 ** (step % 3)
        optimiser.step()
    return [parameter.detach() for parameter in given]


def differ(one: Optimiser, other: Optimiser) -> bool:
    return any(not torch.equal(a, b) for a, b in zip(run(one), run(other), strict=True))


@pytest.mark.parametrize("config", ALL)
def test_every_one_finds_the_bottom_of_a_bowl(config: Optimiser) -> None:
    given = parameters()
    optimiser = config.build(given, 0.05)
    for _ in range(300):
        optimiser.zero_grad()
        loss = torch.stack([(parameter - 0.5).square().sum() for parameter in given]).sum()
        loss.backward()
        optimiser.step()
    assert loss < 0.02


@pytest.mark.parametrize(
    ("config", "changed"),
    [
        (AdamConfig(), {"amsgrad": True}),
        (AdamConfig(), {"betas": (0.5, 0.999)}),
        (AdamConfig(), {"betas": (0.9, 0.5)}),
        (AdamConfig(), {"weight_decay": 0.1}),
        (AdamWConfig(), {"amsgrad": True}),
        (AdamWConfig(), {"betas": (0.5, 0.999)}),
        (AdamWConfig(), {"betas": (0.9, 0.5)}),
        (AdamWConfig(), {"weight_decay": 0.1}),
        (SgdConfig(), {"momentum": 0.9}),
        (FAdamConfig(weight_decay=0.0), {"betas": (0.5, 0.999)}),
        (FAdamConfig(weight_decay=0.0), {"betas": (0.9, 0.5)}),
        (FAdamConfig(weight_decay=0.0), {"weight_decay": 0.1}),
    ],
)
def test_every_option_reaches_the_optimiser(config: Optimiser, changed: dict[str, object]) -> None:
    other = read(config.model_dump() | changed)
    assert differ(config, other)
    (group,) = other.build(parameters(), 0.1).param_groups
    assert {name: group[name] for name in changed} == changed


def test_the_rule_reaches_fadam() -> None:
    for rule in ("2024", "current"):
        built = read({"name": "fadam", "rule": rule, "weight_decay": 0.0}).build(parameters(), 0.1)
        assert isinstance(built, FAdam)
        assert built.param_groups[0]["rule"] == rule


@pytest.mark.parametrize("config", ALL)
def test_the_learning_rate_is_that_of_the_first_step(config: Optimiser) -> None:
    small, large = run(config, 1e-3, steps=1), run(config, 1e-1, steps=1)
    for start, a, b in zip(parameters(), small, large, strict=True):
        torch.testing.assert_close(100 * (a - start), b - start, rtol=1e-3, atol=1e-4)


def test_decay_is_decoupled_in_adamw_alone() -> None:
    """Without a gradient AdamW shrinks by a share, Adam takes a full step towards zero."""

    def after(config: Optimiser) -> float:
        x = torch.full((1,), 4.0, requires_grad=True)
        x.grad = torch.zeros(1)
        config.build([x], 0.1).step()
        return x.item()

    assert after(AdamWConfig(weight_decay=0.5)) == pytest.approx(4 * (1 - 0.1 * 0.5))
    assert after(AdamConfig(weight_decay=0.5)) == pytest.approx(4 - 0.1)


def test_plain_gradient_descent_is_just_that() -> None:
    x = torch.tensor([1.0, -1.0], requires_grad=True)
    x.grad = torch.tensor([2.0, 4.0])
    SgdConfig().build([x], 0.5).step()
    assert x.tolist() == [0, -3]


def test_they_are_read_by_name() -> None:
    names = ["adam", "adamw", "sgd"]
    assert [read({"name": name}) for name in names] == ALL[:3]
    assert read({"name": "fadam", "weight_decay": 0}) == ALL[3]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "lion"},
        {"name": "fadam"},
        {"name": "fadam", "weight_decay": 0.0, "rule": "2023"},
        {"name": "adam", "betas": (0.9, 1.0)},
        {"name": "adam", "betas": (-0.1, 0.9)},
        {"name": "adam", "betas": (0.9,)},
        {"name": "adamw", "weight_decay": -1.0},
        {"name": "adamw", "weight_decay": float("inf")},
        {"name": "sgd", "momentum": 1.0},
        {"name": "sgd", "amsgrad": True},
    ],
)
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        read(wrong)
