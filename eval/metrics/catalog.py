"""All metrics. This union is the registry: a task file picks from it by `metric`."""

from typing import Annotated

from pydantic import Field

from eval.metrics.assd import MeanSurfaceDistance
from eval.metrics.dice import Dice
from eval.metrics.fsim import Fsim
from eval.metrics.gradient_correlation import GradientCorrelationMetric
from eval.metrics.hd95 import Hd95
from eval.metrics.key_points import KeyPoints
from eval.metrics.lesions import LesionBurden
from eval.metrics.lncc import LnccMetric
from eval.metrics.ndv import Ndv
from eval.metrics.nonpositive import NonPositive
from eval.metrics.num_foldings import NumFoldings
from eval.metrics.sdlogj import SdLogJ
from eval.metrics.ssim import Ssim
from eval.metrics.tre import Tre

Metric = Annotated[
    Ndv
    | Dice
    | Hd95
    | MeanSurfaceDistance
    | Tre
    | KeyPoints
    | SdLogJ
    | NonPositive
    | NumFoldings
    | LesionBurden
    | LnccMetric
    | GradientCorrelationMetric
    | Ssim
    | Fsim,
    Field(discriminator="metric"),
]
