"""ViT-V-Net: convolutions, a transformer over 1/32 of the resolution, and convolutions back up.

Tokens know their place by a learned embedding, one vector per token, so a network is made for one
shape of images.

Source:
    Chen et al. (2021), ViT-V-Net: Vision Transformer for unsupervised volumetric medical image
    registration, arXiv:2104.06468.
"""

from collections import OrderedDict
from typing import Annotated, Literal, TypeAlias, cast

import torch
from pydantic import Field, PositiveInt, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional

from l2r.arrays import Shape
from l2r.grid import GridRule
from l2r.schema import Frozen
from models.networks.base import NetworkConfig, RegistrationModel
from models.networks.blocks import Features, FieldHead, OtherFeatures, conv_stacked, double
from models.networks.recompute import recomputed
from models.networks.vision_transformer import NORM_EPS, Tokens, TransformerBlock
from models.types import Fields, Pairs, Volumes

ThreeSizes: TypeAlias = tuple[PositiveInt, PositiveInt, PositiveInt]
FiveSizes: TypeAlias = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt]

PATCH = 8
"""Voxels of the quarter grid per token and axis."""
_RULE = GridRule(4 * PATCH)


class VitVNetSizes(Frozen):
    """Sizes of a ViT-V-Net; the defaults are those of the published weights."""

    encoder_channels: ThreeSizes = (16, 32, 32)
    """Of the first convolutions, at 1/1, 1/2 and 1/4 of the resolution."""
    hidden: PositiveInt = 252
    """Channels of a token."""
    layers: PositiveInt = 12
    """Blocks of the transformer."""
    heads: PositiveInt = 12
    """Attention heads of a block."""
    mlp: PositiveInt = 3072
    """Channels of a token between the two linear layers of a block."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Chance that a number of an embedding or of those linear layers is left out in training."""
    widest: PositiveInt = 512
    """Channels with which the decoder starts, at 1/32 of the resolution."""
    decoder_channels: FiveSizes = (96, 48, 32, 32, 16)
    """Of the decoder, at 1/16, 1/8, 1/4, 1/2 and 1/1 of the resolution."""

    @model_validator(mode="after")
    def _channels_share_out(self) -> "VitVNetSizes":
        if self.hidden % self.heads:
            raise ValueError(f"{self.hidden} channels of a token among {self.heads} heads")
        return self


class VitVNetConfig(NetworkConfig):
    """ViT-V-Net, with the published or one's own weights."""

    name: Literal["vit_v_net"] = "vit_v_net"
    shape: ThreeSizes = (160, 192, 224)
    """Of the images, in voxels; weights fit this shape only."""
    sizes: VitVNetSizes = VitVNetSizes()

    @field_validator("shape")
    @classmethod
    def _is_whole_tokens(cls, shape: Shape) -> Shape:
        if problem := _RULE.problem(shape):
            raise ValueError(problem)
        return shape

    def build(self) -> "VitVNet":
        return VitVNet(self)


class VitVNet(RegistrationModel):
    """The field is read at full resolution; it is a displacement, nothing is integrated."""

    def __init__(self, config: VitVNetConfig) -> None:
        super().__init__()
        self.grid = GridRule(_RULE.multiple, exactly=config.shape)
        self.transformer = Transformer(config)
        self.decoder = Decoder(config.sizes, recompute=config.recompute)
        self.reg_head = nn.Sequential(FieldHead(config.sizes.decoder_channels[-1]))

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels, intensities in [0, 1]."""
        self.check_grid(fixed)
        coarsest, skipped = self.transformer(torch.cat([moving, fixed], dim=1))
        return self.reg_head(self.decoder(coarsest, skipped))


class Transformer(nn.Module):
    """Features at all resolutions; what is coarsest has been compared over the whole image."""

    def __init__(self, config: VitVNetConfig) -> None:
        super().__init__()
        x, y, z = (size // _RULE.multiple for size in config.shape)
        self.embeddings = Embeddings(config.sizes, x * y * z, recompute=config.recompute)
        self.encoder = Encoder(config.sizes, recompute=config.recompute)
        self._extent = (x, y, z)

    def forward(self, pair: Pairs) -> tuple[OtherFeatures, list[Tensor]]:
        """At 1/32 of the resolution; and at 1/16, 1/8, 1/4, 1/2 and 1/1."""
        tokens, skipped = self.embeddings(pair)
        coarsest = self.encoder(tokens).mT.unflatten(2, self._extent)
        return coarsest.contiguous(), skipped


class Embeddings(nn.Module):
    """A token for every cube of `PATCH` voxels of the quarter grid, with its place added."""

    def __init__(self, sizes: VitVNetSizes, count: int, *, recompute: bool) -> None:
        super().__init__()
        self.hybrid_model = ConvEncoder(sizes.encoder_channels, recompute=recompute)
        coarse = sizes.encoder_channels[-1]
        self.patch_embeddings = nn.Conv3d(coarse, sizes.hidden, PATCH, stride=PATCH)
        self.position_embeddings = nn.Parameter(torch.zeros(1, count, sizes.hidden))
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, pair: Pairs) -> tuple[Tokens, list[Tensor]]:
        """The tokens; and the features that the decoder is shown, the coarsest first."""
        full, half, quarter = self.hybrid_model(pair)
        eighth = functional.max_pool3d(quarter, 2)
        sixteenth = functional.max_pool3d(eighth, 2)
        tokens = self.patch_embeddings(quarter).flatten(2).mT + self.position_embeddings
        return self.dropout(tokens), [sixteenth, eighth, quarter, half, full]


class ConvEncoder(nn.Module):
    """Features of a stacked pair at 1/1, 1/2 and 1/4 of its resolution."""

    def __init__(self, channels: tuple[int, int, int], *, recompute: bool) -> None:
        super().__init__()
        full, half, quarter = channels
        self.inc = _double_conv(2, full)
        self.down1 = _down(full, half)
        self.down2 = _down(half, quarter)
        self._recompute = recompute

    def forward(self, pair: Pairs) -> tuple[Tensor, Tensor, Tensor]:
        full = recomputed(self.inc, pair, when=self._recompute)
        half = recomputed(self.down1, full, when=self._recompute)
        return full, half, recomputed(self.down2, half, when=self._recompute)


class Encoder(nn.Module):
    """The blocks of the transformer, one after the other."""

    def __init__(self, sizes: VitVNetSizes, *, recompute: bool) -> None:
        super().__init__()
        self.layer = nn.ModuleList(
            TransformerBlock(sizes.hidden, sizes.heads, sizes.mlp, sizes.dropout)
            for _ in range(sizes.layers)
        )
        self.encoder_norm = nn.LayerNorm(sizes.hidden, eps=NORM_EPS)
        self._recompute = recompute

    def forward(self, tokens: Tokens) -> Tokens:
        for block in self.layer:
            tokens = recomputed(block, tokens, when=self._recompute)
        return self.encoder_norm(tokens)


class Decoder(nn.Module):
    """From 1/32 of the resolution to all of it, in five doublings."""

    def __init__(self, sizes: VitVNetSizes, *, recompute: bool) -> None:
        super().__init__()
        full, half, quarter = sizes.encoder_channels
        inputs = (sizes.widest, *sizes.decoder_channels[:-1])
        skipped = (quarter, quarter, quarter, half, full)
        self.conv_more = _conv_block(sizes.hidden, sizes.widest)
        self.blocks = nn.ModuleList(map(VitDecoderBlock, inputs, skipped, sizes.decoder_channels))
        self._recompute = recompute

    def forward(self, features: Features, skipped: list[Tensor]) -> OtherFeatures:
        features = recomputed(self.conv_more, features, when=self._recompute)
        for block, shown in zip(self.blocks, skipped, strict=True):
            features = recomputed(block, features, shown, when=self._recompute)
        return features


class VitDecoderBlock(nn.Module):
    """Doubles the resolution; then two convolutions, the first over what is skipped to it too."""

    def __init__(self, inputs: int, skipped: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = _conv_block(inputs + skipped, outputs)
        self.conv2 = _conv_block(outputs, outputs)

    def forward(self, features: OtherFeatures, skipped: Features) -> Features:
        conv, norm, rectify = self.conv1
        stacked = conv_stacked(cast("nn.Conv3d", conv), double(features), skipped)
        return self.conv2(rectify(norm(stacked)))


def _double_conv(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions, each rectified, under the names of the published weights."""
    convs = nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv3d(outputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
    )
    return nn.Sequential(OrderedDict(double_conv=convs))


def _down(inputs: int, outputs: int) -> nn.Sequential:
    """The same at half the resolution."""
    pooled = nn.Sequential(nn.MaxPool3d(2), _double_conv(inputs, outputs))
    return nn.Sequential(OrderedDict(maxpool_conv=pooled))


def _conv_block(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution, normalisation over the batch, rectifier."""
    conv = nn.Conv3d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(outputs), nn.ReLU(inplace=True))
