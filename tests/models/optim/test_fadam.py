import ast
import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.optim.fadam import FAdam, FAdamRule
from tests.models.conftest import Described, Golden

VERSIONS: dict[str, FAdamRule] = {"head": "current", "v2024": "2024"}
SETTINGS = {
    "default": ("", ".lossx1000"),
    "lr5e-5_wd0": ("",),
    "wd0.001": ("",),
    "clip0.5": ("",),
    "clip2": ("",),
    "p0.25": ("",),
    "betas.8_.95": ("",),
    "eps1e-3": ("", ".lossx1000"),
    "lr0.05": ("",),
}
TRAJECTORY_ATOL = 1e-6
"""Steps are 1e-3 long at most; kernels of other processors differ in the fourth digit of one."""
STATE_RTOL = 1e-5
"""Of the largest entry: products in another order differ by 1e-6, a wrong rule by per cents."""
RULES: list[FAdamRule] = ["2024", "current"]


def optimiser(*parameters: Tensor, rule: FAdamRule = "current", **options: float) -> FAdam:
    return FAdam(parameters, rule=rule, **options)  # type: ignore[arg-type]


@pytest.mark.golden
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("setting", "variant"), [(s, v) for s in SETTINGS for v in SETTINGS[s]])
def test_it_goes_where_the_published_code_goes(
    golden: Golden, described: Described, version: str, setting: str, variant: str
) -> None:
    vectors, case = golden("fadam"), f"{version}.{setting}{variant}"
    settings = described("fadam")["settings"]
    assert isinstance(settings, dict)
    assert set(settings) == set(SETTINGS)
    p = {name: vectors[f"in.{name}"].clone().requires_grad_() for name in "Wbsu"}
    steps = FAdam(p.values(), rule=VERSIONS[version], **ast.literal_eval(settings[setting]))
    for t in range(20):
        steps.zero_grad()
        prediction = (vectors["in.X"] @ p["W"] * p["s"] + p["b"]).tanh()
        loss = (prediction - vectors["in.Y"]).square().mean() + 0.01 * (p["u"][:3] ** 4).sum()
        (loss * (1000 if variant else 1)).backward()
        steps.step()
        for name, parameter in p.items():
            expected = vectors[f"{case}.traj.{name}"][t]
            torch.testing.assert_close(parameter.detach(), expected, rtol=0, atol=TRAJECTORY_ATOL)
    state = steps.state[p["W"]]
    for name in ("fim", "momentum"):
        expected = vectors[f"{case}.final.{name}.W"]
        torch.testing.assert_close(
            state[name], expected, rtol=0, atol=STATE_RTOL * float(expected.abs().max())
        )
    torch.testing.assert_close(state["step"], vectors[f"{case}.final.step"])


@pytest.mark.golden
@pytest.mark.parametrize("version", VERSIONS)
def test_a_gradient_of_zero_does_what_was_published(golden: Golden, version: str) -> None:
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    x.grad = torch.zeros(2)
    optimiser(x, rule=VERSIONS[version]).step()
    expected = golden("fadam")[f"{version}.allzero_grad_after1step"]
    torch.testing.assert_close(x.detach(), expected, equal_nan=True, rtol=0, atol=1e-7)
    assert bool(expected.isnan().all()) == (version == "v2024")


def rms(values: Tensor) -> float:
    return float((values**2).mean()) ** 0.5


@given(
    st.sampled_from(RULES),
    st.tuples(*[st.floats(0, 0.99)] * 2),
    st.fixed_dictionaries(
        {
            "weight_decay": st.floats(0, 1),
            "clip": st.floats(0.1, 3),
            "p": st.floats(0.1, 1),
            "eps": st.floats(1e-8, 0.1),
        }
    ),
    st.floats(1e-3, 1e3),
    st.integers(0, 2**31),
)
def test_it_is_the_formula_term_by_term(
    rule: FAdamRule, betas: tuple[float, float], options: dict[str, float], scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    start, *gradients = torch.randn(5, 2, 3, generator=generator, dtype=torch.float64)
    x = start.clone().requires_grad_()
    steps = FAdam([x], 0.1, rule=rule, betas=betas, **options)
    clip = options["clip"]
    w, f, m = start, torch.zeros_like(start), torch.zeros_like(start)
    for t, unscaled in enumerate(gradients, start=1):
        x.grad = g = scale * unscaled
        steps.step()
        f = (f * (betas[1] - betas[1] ** t) + g**2 * (1 - betas[1])) / (1 - betas[1] ** t)
        e = options["eps"] * (min if rule == "2024" else max)(1, rms(g))
        divisor = f ** options["p"] + e
        natural, decay = g / divisor, w / divisor
        m = betas[0] * m + (1 - betas[0]) * natural * clip / max(1, rms(natural))
        w = w - 0.1 * (m + options["weight_decay"] * decay * clip / max(1, rms(decay)))
        torch.testing.assert_close(x.detach(), w, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_one_entry_without_a_gradient_makes_nothing_not_a_number(rule: FAdamRule) -> None:
    x = torch.ones(3, requires_grad=True)
    x.grad = torch.tensor([1.0, 0.0, -1.0])
    optimiser(x, rule=rule).step()
    assert x.isfinite().all()


def test_it_resumes_where_it_was_saved() -> None:
    def descend(x: Tensor, steps: FAdam) -> None:
        for _ in range(3):
            x.grad = x.detach().sin()
            steps.step()

    x = torch.linspace(-2, 2, 7).requires_grad_()
    steps = optimiser(x, rule="2024", weight_decay=0.01)
    descend(x, steps)
    y = x.detach().clone().requires_grad_()
    resumed = optimiser(y)
    resumed.load_state_dict(copy.deepcopy(steps.state_dict()))
    descend(x, steps)
    descend(y, resumed)
    assert torch.equal(x, y)
    state = resumed.state[y]
    assert set(state) == {"step", "momentum", "fim"}
    assert (state["step"].shape, state["step"].dtype, float(state["step"])) == (
        (),
        torch.float32,
        6.0,
    )


def test_a_parameter_without_a_gradient_is_left_alone() -> None:
    x, y = (torch.ones(2, requires_grad=True) for _ in range(2))
    x.grad = torch.ones(2)
    steps = optimiser(x, y)
    steps.step()
    assert (x < 1).all()
    assert torch.equal(y.detach(), torch.ones(2))
    assert y not in steps.state


def test_groups_have_their_own_options() -> None:
    x, y = (torch.ones(2, requires_grad=True) for _ in range(2))
    x.grad, y.grad = torch.zeros(2), torch.zeros(2)
    FAdam([{"params": [x]}, {"params": [y], "rule": "2024"}], weight_decay=0.0).step()
    assert torch.equal(x.detach(), torch.ones(2))
    assert y.isnan().all()


def test_a_closure_computes_the_gradient_and_its_loss_is_returned() -> None:
    x = torch.full((2,), 3.0, requires_grad=True)

    def closure() -> float:
        loss = x.square().sum()
        loss.backward()
        return float(loss.detach())

    assert optimiser(x, weight_decay=0.0, lr=0.5).step(closure) == 18
    torch.testing.assert_close(x.detach(), torch.full((2,), 2.95))  # lr (1 - beta1) sign(g)
    assert optimiser(x).step() is None


def test_sparse_gradients_are_refused() -> None:
    table = torch.nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="sparse"):
        FAdam(table.parameters()).step()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", -1e-3),
        ("lr", float("nan")),
        ("rule", "2023"),
        ("betas", (1.0, 0.9)),
        ("betas", (0.9, -0.1)),
        ("weight_decay", -0.1),
        ("clip", 0.0),
        ("p", 0.0),
        ("eps", -1e-8),
    ],
)
def test_nonsense_is_refused_by_name(name: str, value: object) -> None:
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match=f"^{name} must be"):
        FAdam([{"params": [x], name: value}])
    if name != "rule":  # its type is checked before
        with pytest.raises(ValueError, match=f"^{name} must be"):
            FAdam([x], **{name: value})  # type: ignore[arg-type]
