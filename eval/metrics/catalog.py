"""The metrics there are. This union is the registry: a task file picks from it by `metric`."""

from typing import Annotated

from pydantic import Field

from eval.metrics.dice import Dice
from eval.metrics.hd95 import Hd95
from eval.metrics.ndv import Ndv
from eval.metrics.tre import Tre

Metric = Annotated[Ndv | Dice | Hd95 | Tre, Field(discriminator="metric")]
