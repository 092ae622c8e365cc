"""Means with intervals over seeds, and paired tests over cases."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class SeedMean:
    """A mean over seeds of means over cases."""

    mean: float
    half_width: float | None
    """Of the 95 % interval by Student's t; None for one seed, or if one is not finite."""
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "SeedMean":
        """The mean of one number per seed."""
        if len(values) < 2 or not all(map(math.isfinite, values)):
            return cls(fmean(values), None, len(values))
        quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
        return cls(fmean(values), quantile * stdev(values) / math.sqrt(len(values)), len(values))


@dataclass(frozen=True)
class PairedTests:
    """Two-sided tests of the differences over cases, each case the mean of its seeds."""

    difference: float
    """Mean of system minus reference; nan if one of them is not finite."""
    signed_rank: float | None
    """p of Wilcoxon's test; None with fewer than two cases or none that differs, or if a difference
    is not finite, as that of HD95 where a structure vanished."""
    t_test: float | None
    """p of Student's paired test; None then too, and with equal differences."""
    cases: int


def compare(system: Mapping[str, float], reference: Mapping[str, float]) -> PairedTests | None:
    """Test a system against the reference on the cases that both have; None without any.

    Args:
        system: a number per case.
        reference: the same.
    """
    shared = sorted(system.keys() & reference.keys())
    if not shared:
        return None
    differences = [system[case] - reference[case] for case in shared]
    if not all(map(math.isfinite, differences)):
        return PairedTests(math.nan, None, None, len(shared))
    signed_rank = t_test = None
    if len(shared) > 1 and any(differences):
        signed_rank = float(stats.wilcoxon(differences).pvalue)
        if stdev(differences) > 0:
            t_test = float(stats.ttest_1samp(differences, 0.0).pvalue)
    return PairedTests(fmean(differences), signed_rank, t_test, len(shared))


def means_of_cases(seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean over seeds of each case that all of them have."""
    shared = set.intersection(*(set(one) for one in seeds)) if seeds else set()
    return {case: fmean([one[case] for one in seeds]) for case in sorted(shared)}
