"""The decoder: features of all levels of the encoder, joined up to the resolution of a field."""

from typing import cast

from torch import nn
from torch.nn import functional

from models.networks.blocks import Dimensions, Features, conv_stacked, margins, sides
from models.types import Pairs


def halved(pair: Pairs, dimensions: Dimensions = 3) -> Pairs:
    """Half the resolution for what is skipped to it: means of 3x3x3 voxels, with zeros beyond."""
    kernel, stride = sides(3, dimensions), sides(2, dimensions)
    return functional.avg_pool3d(pair, kernel, stride, margins(1, dimensions))


def conv_block(
    inputs: int, outputs: int, norm: nn.Module, dimensions: Dimensions = 3
) -> nn.Sequential:
    """3x3x3 convolution (3x3 in a plane), normalisation, leaky rectifier."""
    kernel, padding = sides(3, dimensions), margins(1, dimensions)
    conv = nn.Conv3d(inputs, outputs, kernel, padding=padding, bias=False)
    return nn.Sequential(conv, norm, nn.LeakyReLU(0.01, inplace=True))


class DecoderBlock(nn.Module):
    """Two convolutions over features, already of double resolution, and those skipped to them."""

    def __init__(self, inputs: int, skipped: int, outputs: int, dimensions: Dimensions = 3) -> None:
        super().__init__()
        norms = [nn.InstanceNorm3d(outputs) for _ in range(2)]
        self.conv1 = conv_block(inputs + skipped, outputs, norms[0], dimensions)
        self.conv2 = conv_block(outputs, outputs, norms[1], dimensions)

    def forward(self, features: Features, skipped: Features) -> Features:
        conv, norm, rectify = self.conv1
        return self.conv2(rectify(norm(conv_stacked(cast("nn.Conv3d", conv), features, skipped))))
