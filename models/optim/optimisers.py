"""Every optimiser by name: this list is the registry."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, TypeAlias

import torch
from pydantic import Field
from torch import Tensor

from l2r.schema import Frozen
from models.optim.fadam import FAdam, FAdamRule

Beta: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
"""Share of a running mean that is kept in a step."""
Decay: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Betas: TypeAlias = tuple[Beta, Beta]
"""Of the first and of the second moment."""


class _Config(Frozen, ABC):
    @abstractmethod
    def build(self, parameters: Sequence[Tensor], learning_rate: float) -> torch.optim.Optimizer:
        """For `parameters`, with fresh moments."""


class _AdamConfig(_Config):
    optimiser: ClassVar[type[torch.optim.Adam]]

    amsgrad: bool = False
    betas: Betas = (0.9, 0.999)
    weight_decay: Decay

    def build(self, parameters: Sequence[Tensor], learning_rate: float) -> torch.optim.Optimizer:
        return self.optimiser(
            parameters,
            lr=learning_rate,
            betas=self.betas,
            weight_decay=self.weight_decay,
            amsgrad=self.amsgrad,
        )


class AdamConfig(_AdamConfig):
    """Adam; its weight decay is added to the gradient.

    Source:
        Kingma and Ba (2015), arXiv:1412.6980; AMSGrad, where the second moment never shrinks, is
        Reddi et al. (2018), arXiv:1904.09237.
    """

    optimiser = torch.optim.Adam

    name: Literal["adam"] = "adam"
    weight_decay: Decay = 0.0


class AdamWConfig(_AdamConfig):
    """Adam with decoupled weight decay: a step begins with `w (1 - learning_rate weight_decay)`.

    Source:
        Loshchilov and Hutter (2019), arXiv:1711.05101.
    """

    optimiser = torch.optim.AdamW

    name: Literal["adamw"] = "adamw"
    weight_decay: Decay = 0.01


class SgdConfig(_Config):
    """Gradient descent, with the momentum `m = momentum m + g`."""

    name: Literal["sgd"] = "sgd"
    momentum: Beta = 0.0

    def build(self, parameters: Sequence[Tensor], learning_rate: float) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=learning_rate, momentum=self.momentum)


class FAdamConfig(_Config):
    """FAdam, see `models.optim.fadam`.

    Rule "2024" is the one that results of that year were made with; it makes NaN of a tensor that
    the objectives do not depend on.
    """

    name: Literal["fadam"] = "fadam"
    rule: FAdamRule = "current"
    betas: Betas = (0.9, 0.999)
    weight_decay: Decay
    """No default: the published code has 0.1, which is much where weights are only fine-tuned."""

    def build(self, parameters: Sequence[Tensor], learning_rate: float) -> torch.optim.Optimizer:
        return FAdam(
            parameters,
            lr=learning_rate,
            rule=self.rule,
            betas=self.betas,
            weight_decay=self.weight_decay,
        )


Optimiser: TypeAlias = Annotated[
    AdamConfig | AdamWConfig | SgdConfig | FAdamConfig, Field(discriminator="name")
]
