"""The metrics there are. This union is the registry: a task file picks from it by `metric`."""

from typing import Annotated

from pydantic import Field

from eval.dice import Dice
from eval.hd95 import Hd95
from eval.ndv import Ndv
from eval.tre import Tre

Metric = Annotated[Ndv | Dice | Hd95 | Tre, Field(discriminator="metric")]
