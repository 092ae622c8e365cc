"""The encoder: a pyramid of attention within windows of tokens, every other block shifted.

Tokens keep their grid and are channels-last. Every level pads its grid to whole windows and attends
within them; every second block rolls the grid by half a window first, so that neighbours across a
border of windows meet.

Source:
    Liu et al. (2021), Swin Transformer, arXiv:2103.14030; in 3-D as in TransMorph, see the package.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.networks.blocks import Dimensions, sides
from models.networks.recompute import recomputed
from models.networks.transmorph.sizes import TransMorphSizes
from models.networks.transmorph.windows import (
    Extent,
    TokenGrid,
    Windows,
    join,
    pad,
    relative_index,
    shift_mask,
    shift_of,
    split,
    window_in,
)
from models.types import Pairs

AttentionMask = Float[Tensor, "_ token token"]

PATCH = 4
"""Voxels of the input per token and axis."""

_PARITIES = ("000", "100", "010", "001", "110", "011", "101", "111")
"""Odd (1) or even along x, y, z: the order in which the weights expect eight tokens to merge."""
_PARITIES_IN_PLANE = tuple(parity for parity in _PARITIES if parity[2] == "0")


class SwinEncoder(nn.Module):
    """Features of a stacked pair at 1/4, 1/8, 1/16 and so on of its resolution."""

    def __init__(
        self, sizes: TransMorphSizes, dimensions: Dimensions = 3, *, recompute: bool
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(sizes.embed_dim, dimensions)
        self.layers = nn.ModuleList(
            Stage(sizes, level, dimensions, recompute=recompute)
            for level in range(len(sizes.depths))
        )
        for level in range(len(sizes.depths)):
            self.add_module(f"norm{level}", nn.LayerNorm(sizes.embed_dim * 2**level))
        self.apply(_initialise)

    def forward(self, pair: Pairs) -> list[Tensor]:
        """One feature map `(batch, channel, x, y, z)` per level, the finest first."""
        tokens = self.patch_embed(pair)
        features = []
        for level, stage in enumerate(self.layers):
            finished, tokens = stage(tokens)
            norm = self.get_submodule(f"norm{level}")
            features.append(norm(finished).movedim(-1, 1).contiguous())
        return features


class PatchEmbed(nn.Module):
    """A token for every cube of `PATCH` voxels, or every square of them in two dimensions."""

    def __init__(self, channels: int, dimensions: Dimensions = 3) -> None:
        super().__init__()
        patch = sides(PATCH, dimensions)
        self.proj = nn.Conv3d(2, channels, patch, stride=patch)
        self.norm = nn.LayerNorm(channels)

    def forward(self, pair: Pairs) -> TokenGrid:
        return self.norm(self.proj(pair).movedim(1, -1))


class Stage(nn.Module):
    """The blocks of one level, and the step to the next level where there is one."""

    def __init__(
        self, sizes: TransMorphSizes, level: int, dimensions: Dimensions = 3, *, recompute: bool
    ) -> None:
        super().__init__()
        self._window: Extent = window_in(sizes.window, dimensions)
        self._dimensions: Dimensions = dimensions
        channels, before = sizes.embed_dim * 2**level, sum(sizes.depths[:level])
        count = sum(sizes.depths)
        drops = [sizes.drop_path * block / max(count - 1, 1) for block in range(count)]
        self.blocks = nn.ModuleList(
            SwinBlock(
                channels,
                sizes.heads[level],
                self._window,
                drop,
                shifted=number % 2 == 1,
                dimensions=dimensions,
            )
            for number, drop in enumerate(drops[before : before + sizes.depths[level]])
        )
        last = level == len(sizes.depths) - 1
        self.downsample = nn.Identity() if last else PatchMerging(channels, dimensions)
        self._recompute = recompute

    def forward(self, tokens: TokenGrid) -> tuple[TokenGrid, Float[Tensor, "batch _ _ _ _"]]:
        """Tokens after this level, and those that the next level starts with."""
        x, y, z = tokens.shape[1:4]
        mask = shift_mask((x, y, z), self._window, tokens.device, self._dimensions)
        for block in self.blocks:
            tokens = recomputed(block, tokens, mask, when=self._recompute)
        return tokens, self.downsample(tokens)


class PatchMerging(nn.Module):
    """Eight neighbouring tokens, four in a plane, become one of twice the channels."""

    def __init__(self, channels: int, dimensions: Dimensions = 3) -> None:
        super().__init__()
        merged = 2**dimensions * channels
        self.norm = nn.LayerNorm(merged)
        self.reduction = nn.Linear(merged, 2 * channels, bias=False)
        self._parities = _PARITIES if dimensions == 3 else _PARITIES_IN_PLANE

    def forward(self, tokens: TokenGrid) -> Float[Tensor, "batch _ _ _ _"]:
        starts = (map(int, parity) for parity in self._parities)
        parts = [tokens[:, i::2, j::2, k::2] for i, j, k in starts]
        return self.reduction(self.norm(torch.cat(parts, dim=-1)))


class SwinBlock(nn.Module):
    """Attention within windows, then two linear layers per token; each is added to its input."""

    def __init__(
        self,
        channels: int,
        heads: int,
        window: Extent,
        drop_path: float,
        *,
        shifted: bool,
        dimensions: Dimensions = 3,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, heads, window)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = TokenMlp(channels)
        self._window, self._drop_path = window, drop_path
        self._shift = shift_of(window, dimensions) if shifted else (0, 0, 0)

    def forward(self, tokens: TokenGrid, mask: AttentionMask) -> TokenGrid:
        tokens = tokens + self._sometimes(self._attend(self.norm1(tokens), mask))
        return tokens + self._sometimes(self.mlp(self.norm2(tokens)))

    def _attend(self, tokens: TokenGrid, mask: AttentionMask) -> TokenGrid:
        """Padding follows the normalisation: padded tokens are zero and do take part."""
        _, x, y, z, _ = tokens.shape
        grid = pad(tokens, self._window)
        if not any(self._shift):
            grid = join(self.attn(split(grid, self._window)), grid.shape, self._window)
        else:
            grid = grid.roll([-step for step in self._shift], dims=(1, 2, 3))
            grid = join(self.attn(split(grid, self._window), mask), grid.shape, self._window)
            grid = grid.roll(self._shift, dims=(1, 2, 3))
        return grid[:, :x, :y, :z]

    def _sometimes(self, change: TokenGrid) -> TokenGrid:
        """In training, leave the change out for some samples and enlarge it for the others."""
        if not self.training or self._drop_path == 0:
            return change
        ones = change.new_ones(len(change), 1, 1, 1, 1)
        return change * functional.dropout(ones, self._drop_path)


class WindowAttention(nn.Module):
    """`softmax(q k / sqrt(d) + bias[relative position] + mask) v` within each window."""

    relative_position_index: Tensor

    def __init__(self, channels: int, heads: int, window: Extent) -> None:
        super().__init__()
        places = (2 * window[0] - 1) * (2 * window[1] - 1) * (2 * window[2] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(places, heads))
        self.register_buffer("relative_position_index", relative_index(window))
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.proj = nn.Linear(channels, channels)
        self._heads = heads

    def forward(self, windows: Windows, mask: AttentionMask | None = None) -> Windows:
        count, length, _ = windows.shape
        qkv = self.qkv(windows).view(count, length, 3, self._heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        bias = self._bias(mask, count).to(q.dtype)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.proj(mixed.transpose(1, 2).flatten(2))

    def _bias(self, mask: AttentionMask | None, count: int) -> Float[Tensor, "_ head token token"]:
        """Bias of the attention: one for all windows, or one for each of `count`."""
        # The table has a row per relative position and a column per head; the index has the row
        # that belongs to each pair of tokens, so this is (1, head, token, token).
        bias = self.relative_position_bias_table.T[:, self.relative_position_index][None]
        if mask is None:
            return bias
        # Windows count sample by sample, so the masks of one volume repeat for each sample.
        samples = count // len(mask)
        return (bias + mask[:, None]).expand(samples, -1, -1, -1, -1).flatten(0, 1)


class TokenMlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, channels: int, ratio: int = 4) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, ratio * channels)
        self.fc2 = nn.Linear(ratio * channels, channels)

    def forward(self, tokens: TokenGrid) -> TokenGrid:
        return self.fc2(functional.gelu(self.fc1(tokens)))


def _initialise(module: nn.Module) -> None:
    """Small normal weights for what is linear, as is usual for transformers."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, WindowAttention):
        nn.init.trunc_normal_(module.relative_position_bias_table, std=0.02)
