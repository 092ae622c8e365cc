"""Makes networks.safetensors and networks.json from the full vectors; see README.md.

REGATTA_SHARED=... python -m tests.golden.make
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from l2r.field import from_normalised
from models.networks.base import NetworkConfig
from models.networks.gradicon.network import UniGradIconConfig
from models.networks.gradicon.unet import UNetSizes
from models.networks.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.networks.transmorph.sizes import ClassicSizes, LumirSizes
from models.networks.transmorph.tm_tvf import TmTvfConfig
from models.networks.vit_v_net import VitVNetConfig, VitVNetSizes
from models.networks.voxelmorph.lumir import VoxelMorph1Config, VoxelMorph2Config
from models.networks.voxelmorph.package import VoxelMorphConfig
from tests.models.networks.recipes import made_up_volume, made_up_weights

HERE = Path(__file__).parent
SMALL = ClassicSizes(
    embed_dim=8, depths=(2, 2, 2, 2), heads=(2, 2, 2, 4), window=(2, 3, 3), head_channels=8
)


@dataclass(frozen=True)
class Case:
    """How to make one set of vectors again, and what is kept of it."""

    vectors: str
    config: NetworkConfig
    head_std: float
    seeds: tuple[int, int]
    """Of the moving and the fixed image."""
    field: str
    inverse: str | None = None
    gain: float = 1.0


CASES = [
    Case(
        "transmorph_tvf_lumir_small",
        TransMorphLumirConfig(
            sizes=LumirSizes(embed_dim=12, depths=(2, 2, 3), heads=(2, 2, 4), head_channels=8)
        ),
        0.1, (1, 2), "flow_full",
    ),
    Case("transmorph_ixi_small", TransMorphIxiConfig(sizes=SMALL), 0.15, (3, 4), "flow"),
    Case("transmorph_oasis_small", TransMorphOasisConfig(sizes=SMALL), 0.15, (3, 4), "flow"),
    Case(
        "transmorph_tvf_wbir_small", TmTvfConfig(sizes=SMALL, time_steps=4),
        0.1, (5, 6), "flow", "flow_inv",
    ),
    Case("voxelmorph1_small", VoxelMorph1Config(), 0.15, (7, 8), "flow", gain=1.3),
    Case("voxelmorph2_small", VoxelMorph2Config(), 0.15, (7, 8), "flow", gain=1.3),
    Case(
        "voxelmorph_official_small",
        VoxelMorphConfig(encoder=(8, 16, 16, 16), decoder=(16,) * 4, extras=(16, 8, 8)),
        0.3, (15, 16), "pos_flow", gain=1.3,
    ),
    Case(
        "vitvnet_small",
        VitVNetConfig(
            shape=(32, 32, 64),
            sizes=VitVNetSizes(
                encoder_channels=(4, 8, 8), hidden=24, layers=2, heads=4, mlp=40, widest=16,
                decoder_channels=(12, 8, 8, 8, 4),
            ),
        ),
        3.0, (9, 10), "flow",
    ),
    Case(
        "unigradicon_small",
        UniGradIconConfig(
            shape=(29, 38, 33), sizes=UNetSizes(down=(4, 8, 16), up=(4, 6, 12)), intensities="none"
        ),
        0.012, (21, 22), "phi_AB", "phi_BA",
    ),
]  # fmt: skip


def output(vectors: dict[str, Tensor], name: str) -> Tensor:
    """A field as Regatta has it; the maps of uniGradICON become displacements in voxels."""
    found = vectors[f"out.{name}"]
    if not name.startswith("phi"):
        return found
    lines = [torch.linspace(0, 1, size) for size in found.shape[2:]]
    moved = 2 * (found - torch.stack(torch.meshgrid(*lines, indexing="ij")))
    # Axes (z, y, x) as ITK has them become (x, y, z), and so do the components.
    array = moved[0].permute(3, 2, 1, 0).numpy()
    return torch.from_numpy(from_normalised(array)).permute(3, 0, 1, 2)[None]


def main() -> None:
    """Check that the recipes give what the vectors hold, and keep every second voxel of fields."""
    tensors, about = {}, {}
    for case in CASES:
        vectors = load_file(SOURCE / f"{case.vectors}.safetensors")
        state = {key[3:]: value for key, value in vectors.items() if key.startswith("sd.")}
        state = {key: value for key, value in state.items() if not key.endswith(".grid")}
        made = made_up_weights(state, case.head_std, case.gain)
        torch.testing.assert_close(made, state, atol=1e-6, rtol=1e-6)
        images = ("in.x", "in.y") if "in.x" in vectors else ("in.A", "in.B")
        for name, seed in zip(images, case.seeds, strict=True):
            x, y, z = vectors[name].shape[2:]
            torch.testing.assert_close(made_up_volume((x, y, z), seed), vectors[name])
        for kind in filter(None, ("field", case.inverse and "inverse")):
            kept = output(vectors, getattr(case, kind))[..., ::2, ::2, ::2]
            tensors[f"{case.vectors}.{kind}"] = kept.contiguous()
        about[case.vectors] = {
            "config": case.config.model_dump(mode="json"),
            "gain": case.gain, "head_std": case.head_std,
            "seeds": case.seeds, "shape": (x, y, z),
        }  # fmt: skip
    save_file(tensors, HERE / "networks.safetensors")
    (HERE / "networks.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    SOURCE = Path(os.environ["REGATTA_SHARED"]) / "reference" / "golden"
    main()
