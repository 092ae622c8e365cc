"""The networks that a run file can name."""

from typing import Annotated, TypeAlias

from pydantic import Field

from models.gradicon.network import UniGradIconConfig
from models.identity import IdentityConfig
from models.pyramid import PyramidConfig
from models.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.transmorph.lumir import TransMorphLumirConfig
from models.transmorph.tm_tvf import TmTvfConfig, TmTvfLddmmConfig
from models.vit_v_net import VitVNetConfig
from models.voxelmorph import VoxelMorph1Config, VoxelMorph2Config
from models.voxelmorph_official import VoxelMorphConfig

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
