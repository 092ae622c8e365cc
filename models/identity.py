"""The zero field: what "not registered" means, and a start for a refinement."""

from typing import Literal

import torch

from l2r.schema import Frozen
from models.base import Fields, RegistrationModel, Volumes


class IdentityConfig(Frozen):
    """No network at all."""

    name: Literal["identity"] = "identity"

    def build(self) -> "Identity":
        return Identity()


class Identity(RegistrationModel):
    """`u = 0` everywhere."""

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:  # noqa: ARG002
        return torch.zeros_like(fixed).repeat(1, 3, 1, 1, 1)
