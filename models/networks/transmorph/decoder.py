"""The decoder: features of all levels of the encoder, joined up to the resolution of a field."""

from typing import cast

from torch import nn
from torch.nn import functional

from models.networks.blocks import Features, conv_stacked
from models.types import Pairs


def halved(pair: Pairs) -> Pairs:
    """Half the resolution for what is skipped to it: means of 3x3x3 voxels, with zeros beyond."""
    return functional.avg_pool3d(pair, 3, stride=2, padding=1)


def conv_block(inputs: int, outputs: int, norm: nn.Module) -> nn.Sequential:
    """3x3x3 convolution, normalisation, leaky rectifier."""
    conv = nn.Conv3d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(conv, norm, nn.LeakyReLU(0.01, inplace=True))


class DecoderBlock(nn.Module):
    """Two convolutions over features, already of double resolution, and those skipped to them."""

    def __init__(self, inputs: int, skipped: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = conv_block(inputs + skipped, outputs, nn.InstanceNorm3d(outputs))
        self.conv2 = conv_block(outputs, outputs, nn.InstanceNorm3d(outputs))

    def forward(self, features: Features, skipped: Features) -> Features:
        conv, norm, rectify = self.conv1
        return self.conv2(rectify(norm(conv_stacked(cast("nn.Conv3d", conv), features, skipped))))
