"""FAdam: Adam as a natural gradient descent, by the rules of 2024 and of today."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args, overload

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

FAdamRule: TypeAlias = Literal["2024", "current"]
ParameterTensor = Float[Tensor, "*shape"]


class FAdam(Optimizer):
    """Divides by a root of the Fisher information and clips by the root mean square (RMS).

    For each parameter tensor `w` with the gradient `g`, in its steps t = 1, 2, ...; vectors are
    multiplied and divided by entry, the RMS is that of a whole tensor:

        b = beta2 (1 - beta2^(t-1)) / (1 - beta2^t)
        f = b f + (1 - b) g^2               state "fim": the Fisher information's diagonal
        e = eps max(1, rms(g))              rule "current"
        e = eps min(1, rms(g))              rule "2024"
        d = f^p + e
        m = beta1 m + (1 - beta1) clipped(g / d)            state "momentum", from 0
        w = w - lr (m + weight_decay clipped(w / d)),       clipped(h) = h clip / max(1, rms(h))

    As in the published code, `clip` scales whatever it is given; it is a threshold only at 1.

    Rule "2024" makes NaN of a whole tensor in a step in which its gradient is all zero, if that of
    some entry always was: `e` and `f` are zero there. "current" was published to mend that. With
    both, weight decay is divided like the gradient: where few entries have none, it acts on those
    alone.

    Source:
        Hwang (2024), FAdam, arXiv:2405.12807; github.com/lessw2020/FAdam_PyTorch at 93666b5 (May
        2024) and at c32faab (current).
    """

    def __init__(  # noqa: PLR0913 - as published
        self,
        params: ParamsT,
        lr: float = 1e-3,
        *,
        rule: FAdamRule = "current",
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.1,
        clip: float = 1.0,
        p: float = 0.5,
        eps: float = 1e-8,
    ) -> None:
        """Defaults are those of the published code; groups of parameters may have their own.

        Raises:
            ValueError: an option is out of its range.
        """
        defaults = {
            "lr": lr,
            "rule": rule,
            "betas": betas,
            "weight_decay": weight_decay,
            "clip": clip,
            "p": p,
            "eps": eps,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own, see `torch.optim.Optimizer`.

        Raises:
            ValueError: an option is out of its range.
        """
        super().add_param_group(param_group)
        _validate(self.param_groups[-1])

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step; `closure` computes the gradients anew and returns the loss."""
        loss = None if closure is None else closure()
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: ParameterTensor, gradient: Tensor, group: dict[str, Any]) -> None:
        if gradient.is_sparse:
            raise RuntimeError("FAdam takes no sparse gradients")
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["momentum"] = torch.zeros_like(parameter)
            state["fim"] = torch.ones_like(parameter)
        state["step"] += 1
        step, fisher, momentum = int(state["step"]), state["fim"], state["momentum"]
        decay = beta2 * (1 - beta2 ** (step - 1)) / (1 - beta2**step)
        fisher.mul_(decay).addcmul_(gradient, gradient, value=1 - decay)
        bounded = _rms(gradient).clamp(**_BOUNDS[group["rule"]])
        divisor = (fisher ** group["p"]).add_(group["eps"] * bounded)
        natural = _clipped(gradient / divisor, group["clip"])
        momentum.mul_(beta1).add_(natural, alpha=1 - beta1)
        update = momentum
        if group["weight_decay"]:
            shrinking = _clipped(parameter / divisor, group["clip"])
            update = momentum.add(shrinking, alpha=group["weight_decay"])
        parameter.sub_(update, alpha=group["lr"])


_BOUNDS: dict[FAdamRule, dict[str, float]] = {"2024": {"max": 1.0}, "current": {"min": 1.0}}
"""Of the RMS that scales `eps`."""


def _clipped(values: ParameterTensor, clip: float) -> ParameterTensor:
    return values.mul_(clip / _rms(values).clamp(min=1))


def _rms(values: ParameterTensor) -> Float[Tensor, ""]:
    return values.square().mean().sqrt()


def _validate(group: dict[str, Any]) -> None:
    allowed = {
        "lr": (group["lr"] >= 0, "at least 0"),
        "rule": (group["rule"] in get_args(FAdamRule), f"one of {', '.join(get_args(FAdamRule))}"),
        "betas": (all(0 <= beta < 1 for beta in group["betas"]), "at least 0 and below 1"),
        "weight_decay": (group["weight_decay"] >= 0, "at least 0"),
        "clip": (group["clip"] > 0, "above 0"),
        "p": (group["p"] > 0, "above 0"),
        "eps": (group["eps"] >= 0, "at least 0"),
    }
    for name, (valid, range_) in allowed.items():
        if not valid:
            raise ValueError(f"{name} must be {range_}, not {group[name]!r}")
