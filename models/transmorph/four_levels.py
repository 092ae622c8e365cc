"""What the published networks of four levels have in common, up to a quarter of the resolution."""

from l2r.grid import GridRule
from models.base import Pairs, RegistrationModel
from models.blocks import Features, double
from models.transmorph.decoder import DecoderBlock
from models.transmorph.sizes import TransMorphSizes
from models.transmorph.swin import SwinEncoder


class FourLevelTransMorph(RegistrationModel):
    """The encoder of both images, and the three coarsest blocks of the decoder."""

    grid = GridRule(32)
    """Tokens of four voxels, three mergings of tokens: 4 * 2 * 2 * 2."""

    def __init__(self, sizes: TransMorphSizes, *, checkpoint: bool) -> None:
        super().__init__()
        channels = sizes.embed_dim
        self.transformer = SwinEncoder(sizes, checkpoint=checkpoint)
        self.up0 = DecoderBlock(8 * channels, 4 * channels, 4 * channels)
        self.up1 = DecoderBlock(4 * channels, 2 * channels, 2 * channels)
        self.up2 = DecoderBlock(2 * channels, channels, channels)

    def quarter_features(self, pair: Pairs) -> Features:
        """What the decoder knows at a quarter of the resolution, `embed_dim` channels."""
        finest, fine, coarse, coarsest = self.transformer(pair)
        features = self.up0(double(coarsest), coarse)
        features = self.up1(double(features), fine)
        return self.up2(double(features), finest)
