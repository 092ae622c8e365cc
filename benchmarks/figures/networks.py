"""The picture of docs/networks.md: every network's field on a pair of the sample.

.venv/bin/python -m benchmarks.figures.networks

Published weights do not come with Regatta, so each network is fitted to this one pair, from scratch
and at a third of the resolution: thirty steps of Adam on local correlation and diffusion. The
picture shows what the fields of a network look like, not how well it registers once it is trained.
"""

import time

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.figures.sample import FIXED, IMAGES, MOVING, ROOT
from eval.metrics.ndv import non_diffeomorphic_volume
from l2r.console import progress
from l2r.field import from_channels_first
from l2r.formats.volumes import read_image
from l2r.grid import GridRule, working_grid
from models.losses.diffusion import Diffusion
from models.losses.lncc import Lncc
from models.networks.base import NetworkConfig
from models.networks.gradicon.network import UniGradIconConfig
from models.networks.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.networks.transmorph.tm_tvf import TmTvfConfig
from models.networks.vit_v_net import VitVNetConfig
from models.networks.voxelmorph.lumir import VoxelMorph1Config, VoxelMorph2Config
from models.networks.voxelmorph.package import VoxelMorphConfig
from models.spatial.warp import warp

mpl.use("Agg")
STEPS, CORONAL = 30, 32
SHAPE = (64, 64, 64)
CONFIGS: dict[str, tuple[NetworkConfig, float]] = {
    "transmorph_lumir": (TransMorphLumirConfig(), 3e-4),
    "transmorph_ixi, small": (TransMorphIxiConfig(sizes="small"), 3e-4),
    "transmorph_oasis, small": (TransMorphOasisConfig(sizes="small"), 3e-4),
    "tm_tvf, small, 4 steps": (TmTvfConfig(sizes="small", time_steps=4), 3e-4),
    "voxelmorph_1": (VoxelMorph1Config(), 1e-3),
    "voxelmorph_2": (VoxelMorph2Config(), 1e-3),
    "voxelmorph": (VoxelMorphConfig(), 1e-3),
    "vit_v_net": (VitVNetConfig(shape=SHAPE), 3e-4),
    "unigradicon": (UniGradIconConfig(shape=(80, 80, 80)), 5e-5),
}
"""What is drawn, and the step of its optimiser."""


def coarse(name: str) -> np.ndarray:
    """A brain of the sample at 3 mm, in [0, 1]."""
    array = read_image(ROOT / "sample/imagesVal" / name).array
    array = (array / np.quantile(array, 0.999)).clip(0, 1).astype(np.float32)
    return functional.avg_pool3d(torch.from_numpy(array)[None, None], 3)[0, 0].numpy()


def pair() -> list[Tensor]:
    """Fixed and moving brain on `SHAPE`, `(1, 1, x, y, z)`."""
    arrays = [coarse(name) for name in (FIXED, MOVING)]
    grid = working_grid(arrays[0].shape, arrays[1].shape, GridRule(exactly=SHAPE)).around(*arrays)
    return [torch.from_numpy(grid.bring(array))[None, None] for array in arrays]


def fitted(config: NetworkConfig, rate: float, fixed: Tensor, moving: Tensor) -> Tensor:
    """The field of a network that has seen nothing but this pair."""
    torch.manual_seed(0)
    model = config.build()
    similarity, smoothness = Lncc(window=9).bind(fixed), Diffusion()
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    with progress(STEPS, config.name) as advance:
        for step in range(STEPS):
            field = model(fixed, moving)
            loss = similarity(warp(moving, field)) + smoothness(field)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            advance(f"{config.name}: step {step + 1}, {loss.item():.4f}")
    with torch.no_grad():
        return model.eval()(fixed, moving)


def slice_of(volume: Tensor) -> np.ndarray:
    """One coronal slice, head up."""
    return np.rot90(volume[0, 0, :, CORONAL].numpy())


def draw_field(axes: plt.Axes, field: Tensor) -> None:
    """Draw every second grid line of the fixed image as it lies in the moving one."""
    index = np.indices(field.shape[2:])[:, :, CORONAL]
    places = index + field[0, :, :, CORONAL].numpy()
    top = field.shape[4] - 1
    for axis, values in ((0, places[0]), (2, places[2])):
        levels = np.arange(0, field.shape[2 + axis], 2)
        axes.contour(
            index[0], top - index[2], values, levels, colors="#ffb000", linewidths=0.5, alpha=0.8
        )


def main() -> None:
    """Fit all, draw all."""
    fixed, moving = pair()
    figure, grid = plt.subplots(3, 4, figsize=(12, 10.6), layout="constrained")
    panels = iter(grid.flat)
    for title, volume in (("fixed", fixed), ("moving", moving)):
        axes = next(panels)
        axes.imshow(slice_of(volume), cmap="gray", vmin=0, vmax=1)
        axes.set_title(title, fontsize=10)
    mask = moving[0, 0].numpy() > 0
    for title, (config, rate) in CONFIGS.items():
        start, axes = time.monotonic(), next(panels)
        field = fitted(config, rate, fixed, moving)
        warped = warp(moving, field)
        axes.imshow(slice_of(warped), cmap="gray", vmin=0, vmax=1)
        draw_field(axes, field)
        ndv = (
            100 * non_diffeomorphic_volume(from_channels_first(field[0].numpy()), mask) / mask.sum()
        )
        before, after = (Lncc(window=9).bind(fixed)(image) for image in (moving, warped))
        text = f"LNCC {-before:.2f} to {-after:.2f}, NDV {ndv:.2f} %"
        axes.set_title(f"{title}\n{text}", fontsize=10)
        print(f"{title}: {text}, {time.monotonic() - start:.0f} s", flush=True)
    for axes in grid.flat:
        axes.axis("off")
    figure.savefig(IMAGES / "networks.png", dpi=80)


if __name__ == "__main__":
    main()
