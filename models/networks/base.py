"""The interface of registration networks, and of their configurations."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from l2r.arrays import Shape
from l2r.grid import GridRule
from l2r.schema import Frozen
from models.spatial.coordinate_maps import CoordinateMap, ImageBatch
from models.types import Fields, OtherFields, State, Volumes


class RegistrationModel(nn.Module, ABC):
    """Predicts the displacement field that brings a moving image onto a fixed one.

    Under `torch.autocast` a network computes in half precision but for the last convolution of a
    field and everything after it, see `models.networks.blocks.FieldHead`.
    """

    grid: GridRule = GridRule()
    """The grids that it works on; the caller pads."""
    unused: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the names of parameters that published weights have but that take no part."""

    @abstractmethod
    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement `u` in voxels of the given grid, `warped(p) = moving(p + u(p))`.

        Args:
            fixed: intensities as the task normalises them, LUMIR's are in [0, 1].
            moving: the same grid and intensities as `fixed`.

        Raises:
            ValueError: the grid is not one that the network works on.
        """

    def check_grid(self, images: Float[Tensor, "_ _ _ _ _"]) -> None:
        """Refuse images of a grid that the network does not work on.

        Raises:
            ValueError: with the nearest shape that works.
        """
        x, y, z = images.shape[2:]
        if problem := self.grid.problem((x, y, z)):
            raise ValueError(f"{type(self).__name__}: {problem}")


class InvertibleModel(RegistrationModel):
    """A network that predicts the inverse transform too."""

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """The first of `forward_and_inverse`; networks that can compute it alone do so."""
        return self.forward_and_inverse(fixed, moving)[0]

    @abstractmethod
    def forward_and_inverse(self, fixed: Volumes, moving: Volumes) -> tuple[Fields, Fields]:
        """The displacement field as `forward` gives it, and that of the inverse map.

        The second lives on the moving grid: `fixed(p + v(p))` looks like `moving(p)`.
        """


class VelocityModel(InvertibleModel):
    """A network whose field is the integral of velocities, which training may want to be smooth."""

    @abstractmethod
    def forward_with_velocities(
        self, fixed: Volumes, moving: Volumes
    ) -> tuple[Fields, Sequence[OtherFields]]:
        """The field as `forward` gives it, and the velocities in the order of time.

        These are in voxels of their own grid, which may be coarser than the images'.
        """


class MapModel(RegistrationModel):
    """A network that finds maps between images which it first prepares in its own way."""

    @abstractmethod
    def prepared(self, image: Volumes) -> ImageBatch:
        """The image as `phi` wants it."""

    @abstractmethod
    def phi(self, moving: ImageBatch, fixed: ImageBatch) -> CoordinateMap:
        """The map from places of `fixed` to places of `moving`, both prepared."""


class NetworkConfig(Frozen, ABC):
    """A network in a run file, with its weights; `models.weights.load.build_network` builds it."""

    trainable: ClassVar[bool] = True
    """Whether it has weights."""

    weights: Path | None = None
    """A file of weights, or a name in the registry (`models.weights.registry`); without one the
    network is untrained: a zero field."""
    recompute: bool = False
    """Training: recompute activations instead of keeping them; less memory, more time."""

    @property
    def own_grid(self) -> Shape | None:
        """Shape of the grid that the network compares images on, where that is not theirs."""
        return None

    @abstractmethod
    def build(self) -> RegistrationModel:
        """The untrained network."""

    @classmethod
    def candidates(cls, state: State) -> tuple["NetworkConfig", ...]:  # noqa: ARG003 - for those who read it
        """The configurations that are worth comparing with a state of unknown origin.

        The defaults; a network that is published in several sizes, or whose size can be read off
        the state, has more.
        """
        return (cls(),)

    def pretrained_parts(self) -> Mapping[str, "NetworkConfig"]:
        """Parts of the network, by attribute, that begin with the weights of another network.

        The other network has a part of the same name.
        """
        return {}
