"""Combine the gradients of several losses into one gradient per parameter.

Two objectives conflict where the inner product of their gradients, over all parameters together, is
negative. The conflict is taken out of a gradient `g` by projecting it onto the plane normal to the
other one, `h`:

    g - <g, h> / |h|^2 h

Whatever is projected in whatever order, the result is a weighted sum of the objectives' gradients,
and the weights follow from their inner products alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, combinations_with_replacement
from typing import Annotated, Literal, TypeAlias

import torch
from jaxtyping import Float, Float64, Shaped
from pydantic import Field
from torch import Tensor

from l2r.schema import Frozen

Losses: TypeAlias = Mapping[str, Float[Tensor, ""]]
"""Losses by name, weights included; their order is that of the random draws."""
Cosines: TypeAlias = Mapping[tuple[str, str], float]
"""Cosines between the gradients of two losses, by the names of the two."""
Gradient: TypeAlias = Sequence[Tensor]
"""Gradient of one loss: one tensor per parameter."""
Gram = Float64[Tensor, "objectives objectives"]
"""Inner products of the losses' gradients."""
Coefficients = Float64[Tensor, "objectives"]
"""Coefficients of the losses' gradients in a sum."""

CHUNK = 2**16
"""Entries that are in double precision at a time; so few stay in a processor's cache."""


@dataclass(frozen=True)
class Combined:
    """The gradient to descend, and the agreement of the losses."""

    gradients: tuple[Tensor, ...]
    """One per parameter."""
    cosines: Cosines = field(default_factory=dict)
    """Empty where the gradients were not computed apart; zero where one of the two is zero."""


class SumGradients(Frozen):
    """The gradient of the sum, by one backward pass."""

    name: Literal["sum"] = "sum"

    def __call__(
        self,
        losses: Losses,
        parameters: Sequence[Tensor],
        generator: torch.Generator,  # noqa: ARG002 - what the others draw from
    ) -> Combined:
        return Combined(_gradient(total(losses), parameters))


class ProjectOne(Frozen):
    """One objective, drawn at random, gives way to the others; then the gradients are added.

    Its gradient is projected against each of the others, in random order, where the two conflict.
    One draw per call, whether anything conflicts or not, so the random stream is that of the number
    of steps.

    Source:
        Zhang et al. (2024), Improving Instance Optimization in Deformable Image Registration with
        Gradient Projection, arXiv:2410.15767, for two objectives. Its equation 3 divides by the
        squared norm of the gradient that is projected, which is no projection unless both norms are
        equal; here it is that of the one projected against, see `PCGrad`.
    """

    name: Literal["project_one"] = "project_one"

    def __call__(
        self, losses: Losses, parameters: Sequence[Tensor], generator: torch.Generator
    ) -> Combined:
        order = torch.randperm(len(losses), generator=generator).tolist()
        gradients = gradients_apart(losses, parameters)
        gram = inner_products(gradients)
        return Combined(weighted_sum(gradients, project_one(gram, order)), cosines(losses, gram))


class PCGrad(Frozen):
    """Every objective gives way to all others; then the gradients are added: PCGrad.

    Each gradient is projected against the others' original ones, in an order drawn anew for each,
    where the two conflict at that point.

    Source:
        Yu et al. (2020), Gradient Surgery for Multi-Task Learning, arXiv:2001.06782, algorithm 1.
    """

    name: Literal["pcgrad"] = "pcgrad"

    def __call__(
        self, losses: Losses, parameters: Sequence[Tensor], generator: torch.Generator
    ) -> Combined:
        orders = [torch.randperm(len(losses), generator=generator).tolist() for _ in losses]
        gradients = gradients_apart(losses, parameters)
        gram = inner_products(gradients)
        return Combined(weighted_sum(gradients, project_all(gram, orders)), cosines(losses, gram))


Combine: TypeAlias = Annotated[SumGradients | ProjectOne | PCGrad, Field(discriminator="name")]
"""Called with the losses, the parameters, and a generator on the CPU."""


def to_floats(values: Sequence[Shaped[Tensor, ""]]) -> list[float]:
    """Read several numbers from a device at once; each single one would wait for a GPU."""
    floats: list[float] = torch.stack([value.detach().double() for value in values]).tolist()
    return floats


def total(losses: Losses) -> Float[Tensor, ""]:
    """Sum of the losses, added in their order."""
    first, *others = losses.values()
    return sum(others, start=first)


def project_one(gram: Gram, order: Sequence[int]) -> Coefficients:
    """The first of `order` is projected against the rest of it, in turn, and all are added."""
    weights = torch.ones(len(gram), dtype=torch.float64)
    weights[order[0]] = 0
    return weights + _projected(gram, order[0], order[1:])


def project_all(gram: Gram, orders: Sequence[Sequence[int]]) -> Coefficients:
    """Each is projected against the others in the order that is given for it, and all are added."""
    projected = [_projected(gram, number, order) for number, order in enumerate(orders)]
    return torch.stack(projected).sum(dim=0)


def _projected(gram: Gram, number: int, against: Sequence[int]) -> Coefficients:
    """Gradient `number` without its conflicts, as weights of all; it is skipped in `against`."""
    weights = torch.zeros(len(gram), dtype=torch.float64)
    weights[number] = 1
    for other in against:
        inner, square = weights @ gram[other], gram[other, other]
        if inner < 0 < square and other != number:  # a square may underflow
            weights[other] -= inner / square
    return weights


def gradients_apart(losses: Losses, parameters: Sequence[Tensor]) -> list[Gradient]:
    """One gradient per objective; the last backward pass frees the graph that they share."""
    values = list(losses.values())
    last = max((i for i, loss in enumerate(values) if loss.requires_grad), default=0)
    return [_gradient(loss, parameters, keep=i < last) for i, loss in enumerate(values)]


def _gradient(
    loss: Float[Tensor, ""], parameters: Sequence[Tensor], *, keep: bool = False
) -> tuple[Tensor, ...]:
    """Zero for every parameter that the loss does not depend on."""
    if not loss.requires_grad:
        return tuple(torch.zeros_like(parameter) for parameter in parameters)
    return torch.autograd.grad(loss, parameters, retain_graph=keep, materialize_grads=True)


def inner_products(gradients: Sequence[Gradient], chunk: int = CHUNK) -> Gram:
    """Inner product of every two gradients, over all parameters; on the CPU."""
    gram = torch.empty(len(gradients), len(gradients), dtype=torch.float64)
    pairs = list(combinations_with_replacement(range(len(gradients)), 2))
    products = [_inner_product(gradients[i], gradients[j], chunk) for i, j in pairs]
    for (i, j), product in zip(pairs, torch.stack(products).cpu(), strict=True):
        gram[i, j] = gram[j, i] = product
    return gram


def _inner_product(one: Gradient, other: Gradient, chunk: int) -> Float64[Tensor, ""]:
    return torch.stack(
        [
            torch.dot(x.double(), y.double())
            for a, b in zip(one, other, strict=True)
            for x, y in zip(_chunks(a, chunk), _chunks(b, chunk), strict=True)
        ]
    ).sum()


def _chunks(tensor: Tensor, chunk: int) -> Sequence[Tensor]:
    if tensor.device.type != "cpu":  # a GPU has the memory, and each operation costs a start
        return [tensor.flatten()]
    return tensor.flatten().tensor_split(tuple(range(chunk, tensor.numel(), chunk)))


def cosines(names: Iterable[str], gram: Gram) -> Cosines:
    """Cosine between every two gradients; zero where one of them is zero."""
    norms = gram.diagonal().sqrt()
    scale = norms[:, None] * norms
    ratios = torch.where(scale == 0, 0, gram / scale).clamp(-1, 1)
    pairs = combinations(enumerate(names), 2)
    return {(one, other): float(ratios[i, j]) for (i, one), (j, other) in pairs}


def weighted_sum(gradients: Sequence[Gradient], weights: Coefficients) -> tuple[Tensor, ...]:
    """Add gradients, each times its coefficient."""
    first, *others = weights.tolist()
    combined = tuple(tensor * first for tensor in gradients[0])
    for gradient, weight in zip(gradients[1:], others, strict=True):
        for into, tensor in zip(combined, gradient, strict=True):
            into.add_(tensor, alpha=weight)
    return combined
