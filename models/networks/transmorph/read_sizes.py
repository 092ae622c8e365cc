"""Sizes of a TransMorph, read off the state of its weights."""

import re
from typing import Any, get_args

from pydantic import ValidationError

from models.networks.transmorph.sizes import ClassicSizes, SizeName, name_of_sizes
from models.networks.transmorph.windows import window_of
from models.types import State

_TABLE = "relative_position"
_BLOCK = re.compile(r"transformer\.layers\.(\d+)\.blocks\.(\d+)\.")
_HEAD = re.compile(r"reg_heads?\.(0\.)?0\.weight")


def sizes_in(state: State) -> dict[str, Any] | None:
    """Read off the sizes of the network that a state belongs to; None if it is no TransMorph."""
    try:
        embedding = state["transformer.patch_embed.proj.weight"]
        head = next(value for name, value in state.items() if _HEAD.fullmatch(name))
        blocks = {tuple(map(int, found.groups())) for found in map(_BLOCK.match, state) if found}
        levels = range(1 + max(level for level, _ in blocks))
        first = [f"transformer.layers.{level}.blocks.0.attn.{_TABLE}" for level in levels]
        window = window_of(state[f"{first[0]}_index"])
        heads = tuple(state[f"{name}_bias_table"].shape[1] for name in first)
    except (KeyError, IndexError, ValueError, StopIteration):
        return None
    depths = tuple(sum(block[0] == level for block in blocks) for level in levels)
    sizes = {"embed_dim": len(embedding), "depths": depths, "heads": heads}
    return {**sizes, "window": window, "head_channels": head.shape[1]}


def classic_sizes_in(state: State) -> list[ClassicSizes | SizeName]:
    """Read off classic sizes, by their name where they are published; all names if that fails."""
    try:
        sizes = ClassicSizes.model_validate(sizes_in(state))
    except ValidationError:
        return list(get_args(SizeName))
    return [name_of_sizes(sizes)]
