"""Sizes of a TransMorph: published ones, and one's own; without torch."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PositiveInt, model_validator

from l2r.schema import Frozen

ThreeLevels: TypeAlias = tuple[PositiveInt, PositiveInt, PositiveInt]
FourLevels: TypeAlias = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]


class TransMorphSizes(Frozen):
    """The numbers that make the difference between a small and a large network."""

    embed_dim: PositiveInt
    """Channels of a token at the finest level; twice as many at each further one."""
    depths: tuple[PositiveInt, ...]
    """Transformer blocks per level of the encoder, the finest first."""
    heads: tuple[PositiveInt, ...]
    """Attention heads per level."""
    window: tuple[PositiveInt, PositiveInt, PositiveInt]
    """Tokens along (x, y, z) that attend to each other."""
    head_channels: PositiveInt = 16
    """Features from which a displacement or a velocity is read."""
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Chance that the last block is skipped for a sample in training; 0 at the first block."""

    @model_validator(mode="after")
    def _channels_share_out(self) -> "TransMorphSizes":
        if self.embed_dim % 2:
            raise ValueError(f"embed_dim must be even, got {self.embed_dim}")
        for level, heads in enumerate(self.heads):
            channels = self.embed_dim * 2**level
            if channels % heads:
                raise ValueError(f"{channels} channels of level {level} among {heads} heads")
        return self


class LumirSizes(TransMorphSizes):
    """Three levels and a loop over time; the defaults are those of the published weights."""

    embed_dim: PositiveInt = 96
    depths: ThreeLevels = (4, 4, 5)
    heads: ThreeLevels = (8, 8, 8)
    window: ThreeLevels = (2, 3, 3)
    time_steps: PositiveInt = 7
    """Velocities that are predicted one after the other and added up."""


class ClassicSizes(TransMorphSizes):
    """Four levels, as in the paper on TransMorph."""

    depths: FourLevels
    heads: FourLevels


SizeName: TypeAlias = Literal["tiny", "small", "normal", "large"]


def _published(channels: int, depths: FourLevels, heads: FourLevels) -> ClassicSizes:
    return ClassicSizes(embed_dim=channels, depths=depths, heads=heads, window=(5, 6, 7))


_BY_NAME: dict[SizeName, ClassicSizes] = {
    "tiny": _published(6, (2, 2, 4, 2), (2, 2, 4, 4)),
    "small": _published(48, (2, 2, 4, 2), (4, 4, 4, 4)),
    "normal": _published(96, (2, 2, 4, 2), (4, 4, 8, 8)),
    "large": _published(128, (2, 2, 12, 2), (4, 4, 8, 16)),
}


def classic_sizes(sizes: ClassicSizes | SizeName) -> ClassicSizes:
    """The published sizes of that name, for images of 160 x 192 x 224 voxels, or one's own."""
    return sizes if isinstance(sizes, ClassicSizes) else _BY_NAME[sizes]


def name_of_sizes(sizes: ClassicSizes) -> ClassicSizes | SizeName:
    """The published name of sizes, or else the sizes themselves."""
    return next((name for name, known in _BY_NAME.items() if known == sizes), sizes)
