"""uniGradICON: one network for all regions and modalities, in four steps from coarse to fine.

Source:
    Tian et al. (2024), uniGradICON: a foundation model for medical image registration,
    arXiv:2403.05780; Tian et al. (2023), GradICON, arXiv:2206.05897.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt, model_validator

from l2r.arrays import Shape, triple
from models.networks.base import InvertibleModel, MapModel, NetworkConfig
from models.networks.gradicon.preprocess import Intensities, normalised, resized
from models.networks.gradicon.to_voxels import Conversion, displacement
from models.networks.gradicon.tree import Halved, Step, TwoSteps, two_steps
from models.networks.gradicon.unet import UNetSizes
from models.spatial.coordinate_maps import CoordinateMap, ImageBatch
from models.types import Fields, OtherFields, State, Volumes


class UniGradIconConfig(NetworkConfig):
    """uniGradICON, with the published or one's own weights."""

    name: Literal["unigradicon"] = "unigradicon"
    shape: tuple[PositiveInt, PositiveInt, PositiveInt] = (175, 175, 175)
    """The network's own grid, to which it resizes images of any grid; (x, y, z) as theirs."""
    sizes: UNetSizes = UNetSizes()
    intensities: Intensities = "quantile"
    """How images come to [0, 1], as the published weights want them."""
    conversion: Conversion = "exact"
    """From the map to voxels; "lumir" repeats what LUMIR's organisers published, mistakes too."""
    last_step: bool = True
    """Without it the network is that of the first stage of training."""
    first_stage: Path | None = None
    """Weights of the first stage, which a network of the second stage begins with."""

    @model_validator(mode="after")
    def _shape_is_large_enough(self) -> "UniGradIconConfig":
        least = 2 ** (len(self.sizes.down) + 1) + 1  # two voxels where it is halved the last time
        if min(self.shape) < least:
            works = tuple(max(size, least) for size in self.shape)
            raise ValueError(
                f"shape {self.shape} is too small for two halvings and a U-Net of "
                f"{len(self.sizes.down)} levels; the smallest that works is {works}"
            )
        return self

    @model_validator(mode="after")
    def _begins_once(self) -> "UniGradIconConfig":
        if self.first_stage is not None and (self.weights is not None or not self.last_step):
            raise ValueError("first_stage is for a network with its last step and no weights yet")
        return self

    @classmethod
    def candidates(cls, state: State) -> tuple["UniGradIconConfig", ...]:
        """With and without the last step."""
        return (cls(last_step=any(name.startswith("netPsi.") for name in state)),)

    @property
    def own_grid(self) -> Shape:
        return self.shape

    def build(self) -> "UniGradIcon":
        return UniGradIcon(self)

    def pretrained_parts(self) -> Mapping[str, NetworkConfig]:
        """All but the last step, where the weights of the first stage are named."""
        if self.first_stage is None:
            return {}
        begun = {"last_step": False, "weights": self.first_stage, "first_stage": None}
        return {"netPhi": self.model_copy(update=begun)}


class UniGradIcon(InvertibleModel, MapModel):
    """Maps found at 1/4, 1/2 and 1/1 of the resolution, and a last one, composed."""

    def __init__(self, config: UniGradIconConfig) -> None:
        super().__init__()

        def step() -> Step:
            return Step(config.sizes, recompute=config.recompute)

        self.netPhi = TwoSteps(Halved(TwoSteps(Halved(step()), step())), step())
        self.netPsi = step() if config.last_step else None
        self._config = config

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels; any grid, any intensities that the config can bring to [0, 1]."""
        phi = self.phi(self.prepared(moving), self.prepared(fixed))
        return self._displacement(phi, fixed)

    def forward_and_inverse(self, fixed: Volumes, moving: Volumes) -> tuple[Fields, Fields]:
        """Predict both ways, the inverse from the images in exchanged parts."""
        a, b = self.prepared(moving), self.prepared(fixed)
        forward, inverse = (self.phi(*images) for images in ((a, b), (b, a)))
        return self._displacement(forward, fixed), self._displacement(inverse, moving)

    def prepared(self, image: Volumes) -> ImageBatch:
        """The image as `phi` wants it: in [0, 1], on the network's grid, axes (z, y, x)."""
        image = resized(normalised(image, self._config.intensities), self._config.shape)
        return image.transpose(2, 4).contiguous()

    def phi(self, moving: ImageBatch, fixed: ImageBatch) -> CoordinateMap:
        """The map from places of `fixed` to places of `moving`, as a function of any places.

        Losses on maps and the optimisation of weights for a pair work with this.

        Args:
            moving: a prepared image, also called A.
            fixed: on the same grid, also called B.
        """
        if self.netPsi is None:
            found: CoordinateMap = self.netPhi(moving, fixed)
            return found
        return two_steps(self.netPhi, self.netPsi, moving, fixed)

    def _displacement(self, phi: CoordinateMap, image: Volumes) -> OtherFields:
        config = self._config
        return displacement(phi, image, triple(config.shape), config.conversion)
