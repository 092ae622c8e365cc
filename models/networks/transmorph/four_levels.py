"""The common part of the published networks of four levels, up to a quarter of the resolution."""

from abc import ABC

from l2r.grid import GridRule
from models.networks.base import NetworkConfig, RegistrationModel
from models.networks.blocks import Features, double
from models.networks.transmorph.decoder import DecoderBlock
from models.networks.transmorph.read_sizes import classic_sizes_in
from models.networks.transmorph.sizes import ClassicSizes, SizeName, classic_sizes
from models.networks.transmorph.swin import SwinEncoder
from models.types import Pairs, State


class FourLevelConfig(NetworkConfig, ABC):
    """A network of four levels, of any size."""

    sizes: ClassicSizes | SizeName = "normal"
    """A published size by its name, or one's own numbers."""

    @classmethod
    def candidates(cls, state: State) -> tuple["FourLevelConfig", ...]:
        """The sizes that the state has, or all published ones."""
        return tuple(cls(sizes=size) for size in classic_sizes_in(state))


class FourLevelTransMorph(RegistrationModel):
    """The encoder of both images, and the three coarsest blocks of the decoder."""

    grid = GridRule(32)
    """Tokens of four voxels, three mergings of tokens: 4 * 2 * 2 * 2."""

    def __init__(self, config: FourLevelConfig) -> None:
        super().__init__()
        self._sizes, self._recompute = classic_sizes(config.sizes), config.recompute
        channels = self._sizes.embed_dim
        self.transformer = SwinEncoder(self._sizes, recompute=config.recompute)
        self.up0 = DecoderBlock(8 * channels, 4 * channels, 4 * channels)
        self.up1 = DecoderBlock(4 * channels, 2 * channels, 2 * channels)
        self.up2 = DecoderBlock(2 * channels, channels, channels)

    def quarter_features(self, pair: Pairs) -> Features:
        """Features of the decoder at a quarter of the resolution, `embed_dim` channels."""
        finest, fine, coarse, coarsest = self.transformer(pair)
        features = self.up0(double(coarsest), coarse)
        features = self.up1(double(features), fine)
        return self.up2(double(features), finest)
