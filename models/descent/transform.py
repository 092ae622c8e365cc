"""Candidate transforms: a parametrised field, or the prediction of a network."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from l2r.arrays import triple
from models.losses.base import CandidateTransform
from models.networks.base import MapModel, RegistrationModel, VelocityModel
from models.spatial.constants import constants
from models.spatial.coordinate_maps import CoordinateMap, ImageBatch, displaced, identity
from models.spatial.parametrisation import Parameters, Parametrisation
from models.spatial.warp import resize_field, sample, warp
from models.types import Fields, OtherFields, Stacks


@dataclass(frozen=True)
class BaseField:
    """A predicted field to which the optimised one is added."""

    parameters: Parameters
    """On the grid that is optimised."""
    images: OtherFields
    """On the grid that the images are compared on."""


class FieldTransform(CandidateTransform):
    """A parametrised field."""

    def __init__(
        self,
        fixed: ImageBatch,
        parametrisation: Parametrisation,
        parameters: Parameters,
        base: BaseField | None,
    ) -> None:
        self.fixed = fixed
        self._parametrisation, self._parameters, self._base = parametrisation, parameters, base

    @property
    def optimised(self) -> Float[Tensor, "_ 3 _ _ _"]:
        return self._parameters + self._base.parameters if self._base else self._parameters

    @cached_property
    def displacement(self) -> Float[Tensor, "1 3 _ _ _"]:
        return self._parametrisation.forward(self.optimised)

    @cached_property
    def _forward_field(self) -> Fields:
        if self._base:
            return self._base.images + self._resized(
                self._parametrisation.forward(self._parameters)
            )
        return self._resized(self.displacement)

    @cached_property
    def _inverse_field(self) -> Fields:
        return self._resized(self._parametrisation.inverse(self.optimised))

    @property
    def forward(self) -> CoordinateMap:
        return as_map(self._forward_field)

    @property
    def inverse(self) -> CoordinateMap:
        return as_map(self._inverse_field)

    def warp(self, moving: Stacks) -> Stacks:
        return warp(moving, self._forward_field)

    def warp_inverse(self, fixed: Stacks) -> Stacks:
        return warp(fixed, self._inverse_field)

    def _resized(self, field: Parameters) -> OtherFields:
        return resize_field(field, triple(self.fixed.shape[2:]))


class NetworkTransform(CandidateTransform):
    """The prediction of a network with its present weights."""

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
        moved = self._warped_places - identity(self.fixed).coordinates
        return moved * _cells(moved)

    @cached_property
    def forward(self) -> CoordinateMap:
        return self._map(self._moving, self.fixed)

    @cached_property
    def inverse(self) -> CoordinateMap:
        return self._map(self.fixed, self._moving)

    @cached_property
    def _warped_places(self) -> Float[Tensor, "batch 3 _ _ _"]:
        return self.forward(identity(self.fixed)).coordinates

    def warp(self, moving: Stacks) -> Stacks:
        return sample(moving, self._warped_places, padding="zeros")

    def warp_inverse(self, fixed: Stacks) -> Stacks:
        return sample(fixed, self.inverse(identity(self._moving)).coordinates, padding="zeros")

    def _map(self, moving: ImageBatch, fixed: ImageBatch) -> CoordinateMap:
        if isinstance(self._model, MapModel):
            return self._model.phi(moving, fixed)
        with torch.autocast(fixed.device.type, torch.bfloat16, enabled=self._half):
            field = self._model(fixed, moving)
        return as_map(field.float() if self._half else field)


class VelocityTransform(NetworkTransform):
    """The prediction of a network of which the velocities are penalised, not the displacement."""

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
    def forward(self) -> CoordinateMap:
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
    """Voxels from the centre of the first to that of the last one of each axis, or one."""
    return constants(field, [max(size - 1, 1) for size in field.shape[2:]]).view(3, 1, 1, 1)
