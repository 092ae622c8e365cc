"""Rigid, similarity and affine maps by few parameters, whose inverse has the same form.

    T(x) = c_m + t + exp(G) R (x - c_f),   T^-1(y) = c_f + R^T exp(-G) (y - c_m - t)

with fixed centres c_f and c_m of both images, a fixed rotation R to start from, a shift t in
millimetres and a generator G. Its parameters are in millimetres too: one moves a place `RADIUS_MM`
from the centre by one millimetre, so that steps along all of them are alike.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Freedom: TypeAlias = Literal["rigid", "similarity", "affine"]
MapParameters = Float[Tensor, "start 12"]
Matrices = Float[Tensor, "start 4 4"]

RADIUS_MM = 60.0
"""Mean distance of a head's surface from its centre, about."""
FAR_DEGREES, DOUBT = 45.0, 0.05
"""Rotation from which a start is doubted, and by how much."""
COUNT: dict[Freedom, int] = {"rigid": 6, "similarity": 7, "affine": 12}
"""Parameters that each kind of map has, the first ones of twelve."""


def _basis() -> Float[Tensor, "9 3 3"]:
    """Generators: three rotations, the scale, then stretches and shears that keep the volume."""
    basis = torch.zeros(9, 3, 3)
    for axis, (one, other) in enumerate(((1, 2), (2, 0), (0, 1))):
        basis[axis, one, other], basis[axis, other, one] = -1.0, 1.0
        basis[6 + axis, one, other] = basis[6 + axis, other, one] = 1.0
    basis[3] = torch.eye(3)
    basis[4] = torch.diag(torch.tensor([1.0, -1.0, 0.0]))
    basis[5] = torch.diag(torch.tensor([-0.5, -0.5, 1.0]))
    return basis / RADIUS_MM


_BASIS = _basis()


@dataclass(frozen=True)
class Starts:
    """Fixed parts of several maps."""

    fixed_centre: Float[Tensor, " 3"]
    moving_centre: Float[Tensor, "start 3"]
    rotation: Float[Tensor, "start 3 3"]

    def take(self, which: Tensor) -> "Starts":
        """Some of them."""
        return Starts(self.fixed_centre, self.moving_centre[which], self.rotation[which])

    @property
    def doubt(self) -> Float[Tensor, " start"]:
        """Similarity by which a start must be better, because headers are mostly right."""
        angles = [rotation_degrees(turn) for turn in self.rotation.double().numpy()]
        return DOUBT * (torch.tensor(angles) > FAR_DEGREES).float()

    def zeros(self) -> MapParameters:
        """Parameters of the maps to start from."""
        return torch.zeros(len(self.rotation), 12)

    def matrices(self, parameters: MapParameters) -> tuple[Matrices, Matrices]:
        """The maps of millimetres from the fixed to the moving image, and their inverses."""
        shift = parameters[:, :3]
        generator = torch.einsum("sp,pij->sij", parameters[:, 3:], _BASIS)
        linear = torch.matrix_exp(generator) @ self.rotation
        opposite = self.rotation.transpose(1, 2) @ torch.matrix_exp(-generator)
        end = self.moving_centre + shift
        forward = end - linear @ self.fixed_centre
        backward = self.fixed_centre - torch.einsum("sij,sj->si", opposite, end)
        return _homogeneous(linear, forward), _homogeneous(opposite, backward)


def _homogeneous(linear: Float[Tensor, "start 3 3"], shift: Float[Tensor, "start 3"]) -> Matrices:
    top = torch.cat([linear, shift[:, :, None]], dim=2)
    bottom = torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(len(top), 1, 4)
    return torch.cat([top, bottom], dim=1)


def rotation_degrees(matrix: Float[np.ndarray, "_ _"]) -> float:
    """The angle of the rotation that is nearest to the linear part."""
    one, _, other = np.linalg.svd(matrix[:3, :3])
    cosine = (np.trace(one @ other) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
