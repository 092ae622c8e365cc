"""Deformations that are tried in one step, as terms look at them (`models.losses.base.CandidateTransform`)."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from l2r.arrays import triple
from models.losses.base import CandidateTransform
from models.networks.base import MapModel, RegistrationModel, VelocityModel
from models.spatial.coordinate_maps import CoordinateMap, ImageBatch, displaced, identity
from models.spatial.parametrisation import Parameters, Parametrisation
from models.spatial.warp import resize_field, sample, warp
from models.types import Fields, OtherFields, Stacks


@dataclass(frozen=True)
class BaseField:
    """A prediction that what is optimised is added to."""

    control: Parameters
    """On the grid that is optimised."""
    images: OtherFields
    """On the grid that the images are compared on."""


class FieldTransform(CandidateTransform):
    """A parametrised field."""

    def __init__(
        self,
        fixed: ImageBatch,
        parametrisation: Parametrisation,
        held: Parameters,
        base: BaseField | None,
    ) -> None:
        self.fixed = fixed
        self._parametrisation, self._held, self._base = parametrisation, held, base

    @property
    def optimised(self) -> Float[Tensor, "_ 3 _ _ _"]:
        return self._held + self._base.control if self._base else self._held

    @cached_property
    def displacement(self) -> Float[Tensor, "1 3 _ _ _"]:
        return self._parametrisation.there(self.optimised)

    @cached_property
    def _way_there(self) -> Fields:
        if self._base:
            return self._base.images + self._resized(self._parametrisation.there(self._held))
        return self._resized(self.displacement)

    @cached_property
    def _way_back(self) -> Fields:
        return self._resized(self._parametrisation.back(self.optimised))

    @property
    def there(self) -> CoordinateMap:
        return as_map(self._way_there)

    @property
    def back(self) -> CoordinateMap:
        return as_map(self._way_back)

    def warp(self, moving: Stacks) -> Stacks:
        return warp(moving, self._way_there)

    def warp_inverse(self, fixed: Stacks) -> Stacks:
        return warp(fixed, self._way_back)

    def _resized(self, field: Parameters) -> OtherFields:
        return resize_field(field, triple(self.fixed.shape[2:]))


class NetworkTransform(CandidateTransform):
    """What a network with its present weights says about two images."""

    def __init__(
        self, model: RegistrationModel, fixed: ImageBatch, moving: ImageBatch, *, half: bool = False
    ) -> None:
        """`half`: the network, but no term, computes in bfloat16 where autocast allows it."""
        self.fixed, self._moving, self._model = fixed, moving, model
        self._half = half

    @property
    def optimised(self) -> Fields:
        return self.displacement

    @cached_property
    def displacement(self) -> Fields:
        moved = self._places_there - identity(self.fixed).coordinates
        return moved * _cells(moved)

    @cached_property
    def there(self) -> CoordinateMap:
        return self._map(self._moving, self.fixed)

    @cached_property
    def back(self) -> CoordinateMap:
        return self._map(self.fixed, self._moving)

    @cached_property
    def _places_there(self) -> Float[Tensor, "batch 3 _ _ _"]:
        return self.there(identity(self.fixed)).coordinates

    def warp(self, moving: Stacks) -> Stacks:
        return sample(moving, self._places_there, padding="zeros")

    def warp_inverse(self, fixed: Stacks) -> Stacks:
        return sample(fixed, self.back(identity(self._moving)).coordinates, padding="zeros")

    def _map(self, moving: ImageBatch, fixed: ImageBatch) -> CoordinateMap:
        if isinstance(self._model, MapModel):
            return self._model.phi(moving, fixed)
        with torch.autocast(fixed.device.type, torch.bfloat16, enabled=self._half):
            field = self._model(fixed, moving)
        return as_map(field.float() if self._half else field)


class VelocityTransform(NetworkTransform):
    """The same of a network whose velocities are to be smooth, not its displacement."""

    def __init__(
        self,
        model: VelocityModel,
        fixed: ImageBatch,
        moving: ImageBatch,
        *,
        last: bool = False,
        half: bool = False,
    ) -> None:
        """`last`: only the velocity at the end of time counts."""
        super().__init__(model, fixed, moving, half=half)
        self._integrating, self._last = model, last

    @property
    def optimised(self) -> Float[Tensor, "_ 3 _ _ _"]:
        _, velocities = self._predicted
        return velocities[-1] if self._last else torch.cat(tuple(velocities))

    @cached_property
    def there(self) -> CoordinateMap:
        return as_map(self._predicted[0])

    @cached_property
    def _predicted(self) -> tuple[Fields, list[OtherFields]]:
        with torch.autocast(self.fixed.device.type, torch.bfloat16, enabled=self._half):
            field, velocities = self._integrating.forward_with_velocities(self.fixed, self._moving)
        return field.float(), [velocity.float() for velocity in velocities]


def as_map(displacement: Fields) -> CoordinateMap:
    """A displacement in voxels as a function of places."""
    return displaced(displacement / _cells(displacement))


def _cells(field: Fields) -> Float[Tensor, "3 1 1 1"]:
    """Voxels from the centre of the first to that of the last one of each axis."""
    return field.new_tensor([size - 1 for size in field.shape[2:]]).view(3, 1, 1, 1)
