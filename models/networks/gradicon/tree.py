"""Registrations made of registrations: coarse ones first, what they leave over afterwards.

Each module here takes a moving and a fixed image on one grid and gives the map between them. Only
the leaves have parameters. `net`, `netPhi` and `netPsi` are the published names of the branches.

Source:
    Tian et al. (2023), GradICON, arXiv:2206.05897.
"""

from torch import nn
from torch.nn import functional

from models.networks.gradicon.unet import UNet, UNetSizes
from models.networks.recompute import recomputed
from models.spatial.coordinate_maps import CoordinateMap, composed, displaced, identity
from models.spatial.warp import sample
from models.types import Volumes


class Step(nn.Module):
    """A leaf: a U-Net predicts the displacement at once."""

    def __init__(self, sizes: UNetSizes, *, recompute: bool) -> None:
        super().__init__()
        self.net = UNet(sizes)
        self._recompute = recompute

    def forward(self, moving: Volumes, fixed: Volumes) -> CoordinateMap:
        return displaced(recomputed(self.net, moving, fixed, when=self._recompute))


class Halved(nn.Module):
    """A registration of both images at half the resolution; its map holds at any."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, moving: Volumes, fixed: Volumes) -> CoordinateMap:
        moving, fixed = (
            functional.avg_pool3d(image, 2, ceil_mode=True) for image in (moving, fixed)
        )
        return self.net(moving, fixed)


class TwoSteps(nn.Module):
    """A registration, and another one of what the first has made of the moving image."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.netPhi, self.netPsi = first, second

    def forward(self, moving: Volumes, fixed: Volumes) -> CoordinateMap:
        return two_steps(self.netPhi, self.netPsi, moving, fixed)


def two_steps(
    first: nn.Module, second: nn.Module, moving: Volumes, fixed: Volumes
) -> CoordinateMap:
    """`phi(psi(p))`: `phi` from `moving` to `fixed`, `psi` from the warped `moving(phi(p))`."""
    phi: CoordinateMap = first(moving, fixed)
    warped = sample(moving, phi(identity(moving)).coordinates, padding="border")
    return composed(phi, second(warped, fixed))
