"""Every team against every other in one metric: p-values, and the wins that follow by a rule."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from eval.leaderboard.comparison import (
    CaseWeights,
    TeamValues,
    exact_superiority,
    holm,
    superiority,
    two_sided,
)
from eval.leaderboard.rule_scores import TeamPairs
from eval.leaderboard.rules import TeamComparison

TeamPairValues = Float[np.ndarray, "resamples teams teams"]
Teams = Int[np.ndarray, " ranked"]


@dataclass(frozen=True)
class OrientedValues:
    """One metric of a rule for all teams, the greater the better."""

    name: str
    group: str
    values: TeamValues
    units: Int[np.ndarray, " entries"]
    """The case or patient of each entry: entries of one unit are drawn together."""


@dataclass(frozen=True)
class MetricOutcome:
    """Every ranked team against every other in one metric."""

    p_values: TeamPairValues
    """After the rule's correction."""
    wins: TeamPairs


@dataclass(frozen=True)
class MetricTests:
    """Uncorrected p-values of all teams in one metric, and who is ahead.

    The first of the resamples is the cases as they are.
    """

    p_values: TeamPairValues
    ahead: TeamPairs

    def outcome(
        self, comparison: TeamComparison, teams: Teams, drawn: slice = slice(None)
    ) -> MetricOutcome:
        """The wins among some teams, on some of the resamples; corrected over these teams alone."""
        p = self.p_values[drawn][:, teams][:, :, teams]
        ahead = self.ahead[drawn][:, teams][:, :, teams]
        if comparison.correction == "holm":
            others = ~np.eye(p.shape[1], dtype=np.bool_)
            p[:, others] = holm(p[:, others])
        return MetricOutcome(p, ahead & (p < comparison.alpha))

    def wins_against(
        self, comparison: TeamComparison, teams: Teams, baseline: int
    ) -> Bool[np.ndarray, "resamples ranked"]:
        """The teams that beat the baseline of a gate; corrected over these comparisons alone."""
        p = self.p_values[:, teams, baseline]
        if comparison.correction == "holm":
            p = holm(p)
        return self.ahead[:, teams, baseline] & (p < comparison.alpha)


def compare(comparison: TeamComparison, metric: OrientedValues, drawn: CaseWeights) -> MetricTests:
    """Test the cases as they are, and then every resample."""
    weights = np.concatenate([np.ones((1, drawn.shape[1])), drawn])
    p = superiority(comparison.test, metric.values, metric.units, weights)
    if comparison.test == "signed_rank":
        p[0] = exact_superiority(metric.values, p[0])
    ahead = p < p.swapaxes(1, 2)
    return MetricTests(two_sided(p) if comparison.sided == "two" else p, ahead)
