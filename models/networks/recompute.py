"""Trade time for memory: activations that the backward pass computes again."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recomputed(
    compute: Callable[..., Tensor],
    *inputs: Tensor,
    when: bool,
    statistics: nn.Module | None = None,
) -> Tensor:
    """`compute(*inputs)`, which keeps its inputs only and runs again in the backward pass.

    Args:
        compute: from tensors to a tensor; what it draws at random is drawn alike again.
        inputs: what it takes.
        when: otherwise, and where no gradients are computed, it is just called.
        statistics: the module inside `compute` that has batch normalisations, if any; they are to
            count a batch once although they see it twice. Not needed where `compute` is a module.
    """
    if not when or not torch.is_grad_enabled():
        return compute(*inputs)
    if isinstance(compute, nn.Module):
        statistics = compute

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        again = nullcontext() if statistics is None else _spare_buffers(statistics)
        return nullcontext(), again

    return checkpoint(compute, *inputs, use_reentrant=False, context_fn=contexts)


@contextmanager
def _spare_buffers(module: nn.Module) -> Iterator[None]:
    """Send what a module writes to its buffers to copies of them."""
    owned = [
        (part, name, buffer)
        for part in module.modules()
        for name, buffer in part.named_buffers(recurse=False)
    ]
    for part, name, buffer in owned:
        setattr(part, name, buffer.clone())
    try:
        yield
    finally:
        for part, name, buffer in owned:
            setattr(part, name, buffer)
