"""The decoder: features of all levels of the encoder, joined up to the resolution of a field."""

from torch import nn
from torch.nn import functional

from models.blocks import Features


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
        return self.conv2(rectify(norm(_conv_stacked(conv, features, skipped))))


def _conv_stacked(conv: nn.Module, first: Features, second: Features) -> Features:
    """`conv(cat(first, second))` without the stack, the largest tensor that there would be."""
    weight, channels = conv.get_parameter("weight"), first.shape[1]
    partial = functional.conv3d(first, weight[:, :channels], padding=1)
    return partial.add_(functional.conv3d(second, weight[:, channels:], padding=1))
