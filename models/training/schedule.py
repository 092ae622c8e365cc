"""Schedules of the learning rate over the epochs."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PositiveFloat, PositiveInt

from l2r.schema import Frozen

_DIGITS = 8
"""The published code rounds the rate so, hence so do we."""


class PolyConfig(Frozen):
    """`first (1 - epoch / over)^power`, epochs counted from 0, rounded to eight decimals.

    Source:
        The training scripts of TransMorph and of on-the-fly guidance.
    """

    name: Literal["poly"] = "poly"
    power: PositiveFloat = 0.9
    over: PositiveInt | None = None
    """Epochs until zero; those of the training if none are given. The rate stays zero after."""

    def rate(self, first: float, epoch: int, epochs: int) -> float:
        """The learning rate of an epoch."""
        left = max(0.0, 1 - epoch / (self.over or epochs))
        return round(first * left**self.power, _DIGITS)

    def stretched(self, times: int) -> "PolyConfig":
        """The same over so many times as many epochs."""
        return self.model_copy(update={"over": self.over and times * self.over})


class ConstantConfig(Frozen):
    """The same in all epochs."""

    name: Literal["constant"] = "constant"

    def rate(self, first: float, epoch: int, epochs: int) -> float:  # noqa: ARG002 - others fall
        """The learning rate of an epoch."""
        return first

    def stretched(self, times: int) -> "ConstantConfig":  # noqa: ARG002 - others fall
        """The same over any number of epochs."""
        return self


Schedule: TypeAlias = Annotated[PolyConfig | ConstantConfig, Field(discriminator="name")]
"""Called once per epoch, as the published code does."""
