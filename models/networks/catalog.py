"""The networks that a run file can name."""

from typing import Annotated, TypeAlias

from pydantic import Field

from models.networks.gradicon.network import UniGradIconConfig
from models.networks.identity import IdentityConfig
from models.networks.pyramid import PyramidConfig
from models.networks.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.networks.transmorph.tm_tvf import TmTvfConfig, TmTvfLddmmConfig
from models.networks.vit_v_net import VitVNetConfig
from models.networks.voxelmorph.lumir import VoxelMorph1Config, VoxelMorph2Config
from models.networks.voxelmorph.package import VoxelMorphConfig

ModelConfig: TypeAlias = Annotated[
    IdentityConfig
    | TransMorphLumirConfig
    | TransMorphIxiConfig
    | TransMorphOasisConfig
    | TmTvfConfig
    | TmTvfLddmmConfig
    | VoxelMorph1Config
    | VoxelMorph2Config
    | VoxelMorphConfig
    | VitVNetConfig
    | UniGradIconConfig
    | PyramidConfig,
    Field(discriminator="name"),
]
"""Any network; `name` says which. Each config has `build()`."""
