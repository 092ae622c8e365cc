"""The sizes of a TransMorph and its entry in the catalogue; read without torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, PositiveInt, model_validator

from l2r.schema import Frozen

if TYPE_CHECKING:
    import models.transmorph.network

Levels: TypeAlias = tuple[PositiveInt, PositiveInt, PositiveInt]
"""One number per level of the encoder, the finest first."""


class TransMorphSizes(Frozen):
    """How large the network is; the defaults are those of the published LUMIR weights."""

    embed_dim: PositiveInt = 96
    """Channels of a token at the finest level; twice as many at each further one."""
    depths: Levels = (4, 4, 5)
    """Transformer blocks per level."""
    heads: Levels = (8, 8, 8)
    """Attention heads per level."""
    window: tuple[PositiveInt, PositiveInt, PositiveInt] = (2, 3, 3)
    """Tokens along (x, y, z) that attend to each other."""
    time_steps: PositiveInt = 7
    """Velocities that are predicted one after the other and added up."""
    head_channels: PositiveInt = 16
    """Features from which a velocity is read."""
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


class TransMorphLumirConfig(Frozen):
    """TransMorph of the LUMIR challenge, with the published or one's own weights."""

    name: Literal["transmorph_lumir"] = "transmorph_lumir"
    weights: Path | None = None
    """A checkpoint or a safetensors file; without one the network is untrained: a zero field."""
    sizes: TransMorphSizes = TransMorphSizes()
    correct_bias: bool = False
    """Translate the field from the warp of the training to the scorer's, up to half a voxel.

    Leave it off to report the published network faithfully, its fields were scored as they came;
    on, the scorer sees what the network meant. See `models.spatial.correct_lumir_bias`.
    """
    checkpoint: bool = False
    """Training: recompute activations instead of keeping them; less memory, more time."""

    def build(self) -> "models.transmorph.network.TransMorphLumir":
        """Build the network and load its weights, if there are any.

        Raises:
            WeightsError: the weights file cannot be used.
        """
        from models.transmorph.network import TransMorphLumir  # noqa: PLC0415 (torch takes seconds)
        from models.weights import load_weights  # noqa: PLC0415

        model = TransMorphLumir(self)
        if self.weights is not None:
            load_weights(model, self.weights)
        return model
