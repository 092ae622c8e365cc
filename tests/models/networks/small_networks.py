"""Networks of the catalogue, small enough for tests, with images that suit them."""

from typing import get_args

import torch
from torch import Tensor, nn

from models.networks.base import RegistrationModel
from models.networks.blocks import FieldHead
from models.networks.catalog import ModelConfig
from models.networks.gradicon.network import UniGradIconConfig
from models.networks.gradicon.unet import UNetSizes
from models.networks.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.networks.transmorph.sizes import ClassicSizes, LumirSizes
from models.networks.transmorph.tm_tvf import TmTvfConfig, TmTvfLddmmConfig
from models.networks.vit_v_net import VitVNetConfig, VitVNetSizes
from models.networks.voxelmorph.lumir import VoxelMorph1Config, VoxelMorph2Config
from models.networks.voxelmorph.package import VoxelMorphConfig

UNION, *_ = get_args(ModelConfig)

FOUR_LEVELS = ClassicSizes(
    embed_dim=8, depths=(2, 1, 1, 1), heads=(2, 2, 2, 2), window=(2, 3, 3), head_channels=4
)

SMALLER = {
    TransMorphLumirConfig: TransMorphLumirConfig(
        sizes=LumirSizes(
            embed_dim=8, depths=(2, 1, 1), heads=(2, 2, 2), time_steps=3, head_channels=4
        )
    ),
    TransMorphIxiConfig: TransMorphIxiConfig(sizes=FOUR_LEVELS),
    TransMorphOasisConfig: TransMorphOasisConfig(sizes=FOUR_LEVELS),
    TmTvfConfig: TmTvfConfig(sizes=FOUR_LEVELS, time_steps=3),
    TmTvfLddmmConfig: TmTvfLddmmConfig(sizes=FOUR_LEVELS, time_steps=2),
    VoxelMorph1Config: VoxelMorph1Config(encoder=(4, 8, 8, 8), decoder=(8, 8, 8, 8), extras=(8, 4)),
    VoxelMorph2Config: VoxelMorph2Config(encoder=(4, 8, 8, 8), decoder=(8, 8, 8, 8), extras=(8, 8)),
    VoxelMorphConfig: VoxelMorphConfig(encoder=(4, 8, 8, 8), decoder=(8, 8, 8, 8), extras=(8, 4)),
    VitVNetConfig: VitVNetConfig(
        shape=(32, 32, 64),
        sizes=VitVNetSizes(
            encoder_channels=(4, 8, 8),
            hidden=24,
            layers=2,
            heads=4,
            mlp=40,
            widest=16,
            decoder_channels=(12, 8, 8, 8, 8),
        ),
    ),
    UniGradIconConfig: UniGradIconConfig(
        shape=(20, 24, 36), sizes=UNetSizes(down=(4, 8, 16), up=(4, 6, 12))
    ),
}
"""Stand-ins for networks that are too slow at their usual size."""

CONFIGS = [SMALLER.get(kind) or kind() for kind in get_args(UNION)]


def built(config: ModelConfig) -> RegistrationModel:
    torch.manual_seed(0)
    return config.build()


def some_images(model: RegistrationModel, batch: int = 1) -> tuple[Tensor, Tensor]:
    """Two volumes, or slices, whose axes differ and suit the model."""
    shape = model.grid.nearest((20, 24, 1 if model.grid.slices == "only" else 40))
    random = torch.Generator().manual_seed(3)
    fixed, moving = torch.rand((2, batch, 1, *shape), generator=random)
    return fixed, moving


def awake(config: ModelConfig) -> RegistrationModel:
    """With heads that move something by a voxel or so."""
    model = built(config).eval()
    heads = [part for part in model.modules() if isinstance(part, FieldHead)]
    for head in heads:
        nn.init.normal_(head.weight, std=0.05)
    with torch.no_grad():
        farthest = model(*some_images(model)).abs().max()
        for head in heads:
            head.weight.div_(farthest)
    return model
