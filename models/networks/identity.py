"""The zero field: an unregistered pair, and a start for a refinement."""

from typing import ClassVar, Literal

import torch
from pydantic import model_validator

from models.networks.base import NetworkConfig, RegistrationModel
from models.types import Fields, State, Volumes


class IdentityConfig(NetworkConfig):
    """The network that predicts no motion; it has no weights."""

    name: Literal["identity"] = "identity"
    trainable: ClassVar[bool] = False

    @model_validator(mode="after")
    def _has_no_weights(self) -> "IdentityConfig":
        if self.weights is not None:
            raise ValueError(
                f'model "identity" has no weights, but {self.weights} is given; '
                "name the network that they belong to"
            )
        return self

    @classmethod
    def candidates(cls, state: State) -> tuple[NetworkConfig, ...]:  # noqa: ARG003
        """None: no state belongs to it."""
        return ()

    def build(self) -> "Identity":
        return Identity()


class Identity(RegistrationModel):
    """`u = 0` everywhere."""

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:  # noqa: ARG002
        return torch.zeros_like(fixed).repeat(1, 3, 1, 1, 1)
