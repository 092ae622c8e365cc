"""Local normalised cross-correlation with a Gaussian window: the definition of ICON."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from l2r.schema import Frozen
from models.losses.lncc import EPSILON, Definition, LocalCorrelation
from models.losses.windows import gaussian_mean
from models.types import Scalar, Volumes


class LnccGaussian(Frozen):
    """`1 - mean(cov(f, w) / sqrt((var(f) + 1e-5) (var(w) + 1e-5)))` under a Gaussian.

    Means, not sums, under the window, which reaches beyond the border into zeros; variances below
    0 are taken for 0. Between 0 (locally the same up to brightness and a positive contrast) and 2.
    Squared, `1 - mean(cov^2 / ((var(f) + 1e-5) (var(w) + 1e-5)))`, it is between 0 and 1 and takes
    an inverted contrast for as good.

    Source:
        Tian et al. (2023), GradICON, arXiv:2206.05897; uniGradICON, arXiv:2403.05780, where the
        two are called LNCC and squared LNCC.
    """

    name: Literal["lncc_gaussian"] = "lncc_gaussian"
    sigma: Annotated[float, Field(ge=0.5, allow_inf_nan=False)] = 5.0
    """In voxels; below 0.5 the window would be one voxel, which correlates with anything."""
    squared: bool = False
    """Whether the correlation is squared."""

    def bind(self, fixed: Volumes) -> Callable[[Volumes], Scalar]:
        """The term for one fixed image, whose own means are made only once."""
        definition = Definition(
            total=partial(gaussian_mean, sigma=self.sigma),
            count=1,
            squared=self.squared,
            each=EPSILON,
        )
        term = LocalCorrelation(fixed, definition)
        return lambda warped: 1 + term(warped)
