"""The common part of the published networks of four levels, up to a quarter of the resolution."""

from abc import ABC

from models.networks.base import NetworkConfig, RegistrationModel
from models.networks.blocks import Dimensions, Features, OtherFeatures, double, grid_rule
from models.networks.transmorph.decoder import DecoderBlock
from models.networks.transmorph.read_sizes import classic_sizes_in
from models.networks.transmorph.sizes import ClassicSizes, SizeName, classic_sizes
from models.networks.transmorph.swin import SwinEncoder
from models.types import Pairs, State


class FourLevelConfig(NetworkConfig, ABC):
    """A network of four levels, of any size."""

    sizes: ClassicSizes | SizeName = "normal"
    """A published size by its name, or one's own numbers."""
    dimensions: Dimensions = 3

    @classmethod
    def candidates(cls, state: State) -> tuple["FourLevelConfig", ...]:
        """The sizes that the state has, or all published ones."""
        return tuple(cls(sizes=size) for size in classic_sizes_in(state))


class FourLevelTransMorph(RegistrationModel):
    """The encoder of both images, and the three coarsest blocks of the decoder."""

    def __init__(self, config: FourLevelConfig) -> None:
        super().__init__()
        self._sizes, self._recompute = classic_sizes(config.sizes), config.recompute
        # Tokens of four voxels, three mergings of tokens: 4 * 2 * 2 * 2.
        self.grid, dimensions = grid_rule(32, config.dimensions), config.dimensions
        self._dimensions, channels = dimensions, self._sizes.embed_dim
        self.transformer = SwinEncoder(self._sizes, dimensions, recompute=config.recompute)
        self.up0 = DecoderBlock(8 * channels, 4 * channels, 4 * channels, dimensions)
        self.up1 = DecoderBlock(4 * channels, 2 * channels, 2 * channels, dimensions)
        self.up2 = DecoderBlock(2 * channels, channels, channels, dimensions)

    def quarter_features(self, pair: Pairs) -> Features:
        """Features of the decoder at a quarter of the resolution, `embed_dim` channels."""
        finest, fine, coarse, coarsest = self.transformer(pair)
        features = self.up0(self.doubled(coarsest), coarse)
        features = self.up1(self.doubled(features), fine)
        return self.up2(self.doubled(features), finest)

    def doubled(self, features: Features) -> OtherFeatures:
        """Twice the resolution, in as many dimensions as the network has."""
        return double(features, dimensions=self._dimensions)
