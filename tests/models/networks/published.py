"""The networks whose names and shapes of weights are known from published code."""

import torch
from torch import Tensor

from models.networks.base import NetworkConfig
from models.networks.gradicon.network import UniGradIconConfig
from models.networks.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.networks.transmorph.tm_tvf import TmTvfLddmmConfig
from models.networks.vit_v_net import VitVNetConfig
from models.networks.voxelmorph.lumir import VoxelMorph1Config, VoxelMorph2Config
from models.networks.voxelmorph.package import VoxelMorphConfig
from tests.models.conftest import Described

PUBLISHED: dict[str, tuple[NetworkConfig, int]] = {
    "keys_transmorph_tvf_lumir": (TransMorphLumirConfig(), 17_449_584),
    "keys_transmorph_ixi": (TransMorphIxiConfig(), 46_771_251),
    "keys_transmorph_oasis": (TransMorphOasisConfig(), 46_556_979),
    "keys_transmorph_oasis_large": (TransMorphOasisConfig(sizes="large"), 107_949_923),
    "keys_transmorph_tvf_wbir_large": (TmTvfLddmmConfig(), 108_611_336),
    "keys_voxelmorph1_lumirrepo": (VoxelMorph1Config(), 274_387),
    "keys_voxelmorph2_lumir": (VoxelMorph2Config(), 301_411),
    "keys_voxelmorph_official": (VoxelMorphConfig(), 327_331),
    "keys_vitvnet": (VitVNetConfig(), 31_560_079),
    "keys_unigradicon_regis_net": (UniGradIconConfig(), 70_680_916),
}
"""By the name of the list of keys: our configuration, and how many parameters there are."""


def published_state(described: Described, keys: str) -> dict[str, Tensor]:
    """Names, shapes and types of a published state, without numbers and without grids."""
    return {
        name: torch.empty(shape, dtype=getattr(torch, kind), device="meta")
        for name, (shape, kind) in described(keys)["state_dict"].items()
        if not name.endswith(".grid")
    }


def state_of(vectors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights among golden vectors, without grids."""
    state = {name[3:]: value for name, value in vectors.items() if name.startswith("sd.")}
    return {name: value for name, value in state.items() if not name.endswith(".grid")}
