"""What several tests ask of a network."""

import torch
from torch import Tensor, nn

from tests.models.conftest import Described


def assert_names_shapes_and_sizes_are_published(
    model: nn.Module, described: Described, keys: str
) -> None:
    """The state has the names, shapes and types of `keys`, grids aside, and as many parameters."""
    about = described(keys)
    ours = {
        name: [list(value.shape), str(value.dtype).removeprefix("torch.")]
        for name, value in model.state_dict().items()
    }
    published = about["state_dict"]
    assert ours == {name: published[name] for name in published if not name.endswith(".grid")}
    assert sum(value.numel() for value in model.parameters()) == about["n_params"]


def state_of(vectors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights among golden vectors, without grids."""
    state = {name[3:]: value for name, value in vectors.items() if name.startswith("sd.")}
    return {name: value for name, value in state.items() if not name.endswith(".grid")}


def kept_for_backward(model: nn.Module, images: tuple[Tensor, Tensor]) -> int:
    """Bytes that a forward pass leaves for the backward pass."""
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(*images)
    return sum(sizes.values())
