"""Ranking rules as data: `rules/<name>.toml` says everything that differs between challenges.

A rule compares all teams metric by metric, turns the comparisons into a score per metric, and
joins these in groups:

    comparison   who beats whom in a metric, by a test and a correction for many tests
    score        a metric's score from the number of wins or losses
    groups       a group's score is the mean of its metrics' scores
    combine      the total is the weighted geometric or arithmetic mean of the groups' scores

What a task does not have is left out, and the weights of the other groups are scaled to 1.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from eval.leaderboard.comparison import TestKind
from l2r.errors import LeaderboardError
from l2r.schema import Frozen, Shelf

RULES = Path(__file__).parent / "rules"
OpenFraction = Annotated[float, Field(gt=0, lt=1)]


class TeamComparison(Frozen):
    """The test by which one team beats another in a metric."""

    test: TestKind
    """`signed_rank`: paired; `rank_sum`: unpaired; `means`: no test, the better mean wins."""
    sided: Literal["one", "two"] = "one"
    alpha: OpenFraction = 0.05
    """`i` beats `j` if `p < alpha` and `i` is ahead."""
    correction: Literal["none", "holm"] = "none"
    """Over all ordered pairs of teams of a metric."""


class MetricSelector(Frozen):
    """Picks some of a task's metrics, and replaces unusable values."""

    kind: str | None = None
    """As a task file says `metric = "dice"`; all metrics of the kind."""
    name: str | None = None
    """As a task file says `name = "MTV Percent Error"`."""
    hardest: OpenFraction | None = None
    """Only this fraction of the entries, those that are worst for the rule's `baseline`."""
    undefined: float | None = None
    """Stands for NaN and infinity; without it they are worse than every number."""
    missing: float | None = None
    """Stands for a metric that a team has not at all; without it as `undefined`."""
    floor: PositiveFloat | None = None
    """Of a metric that is better when lower: what is below it is equal to it."""

    @model_validator(mode="after")
    def _one_way(self) -> "MetricSelector":
        if (self.kind is None) == (self.name is None):
            raise ValueError("a metric is chosen by its kind or by its name")
        return self

    def picks(self, kind: str, name: str) -> bool:
        """True for a metric of that kind and name."""
        return self.kind == kind or self.name == name


class MetricGroup(Frozen):
    """Metrics that speak of one quality."""

    name: str
    weight: PositiveFloat
    metrics: Annotated[tuple[MetricSelector, ...], Field(min_length=1)]
    capped_by: str | None = None
    """The group whose score this one's cannot exceed."""


class Gate(Frozen):
    """A condition without which a team loses the scores of other groups."""

    group: str
    """Where it must beat the rule's `baseline`, which itself is not ranked."""
    wins: PositiveInt
    """In so many metrics of the group."""
    closes: tuple[str, ...]
    """The groups that otherwise get the lowest score, `1 / K`."""


class RankingRule(Frozen):
    """A challenge's rule for ranking."""

    name: str
    title: str
    text: str
    """In words."""
    source: str
    inferred: bool = False
    """Whether the organisers have not published it, and it was found from their tables."""
    default_for: tuple[str, ...] = ()
    """Tasks that are ranked by it unless another rule is given."""
    unit: Literal["case", "label", "patient"] = "case"
    """What an entry of the tests is: the mean of a case, every structure of every case, or the
    mean of the cases of the same subjects, as in both directions."""
    comparison: TeamComparison
    count: Literal["wins", "losses"] = "wins"
    score: Literal["spaced", "share", "rank"]
    """`spaced`: evenly from 0.1 to 1 by the count, equal counts share their mean;
    `share`: `(wins + 1) / K`; `rank`: 1 is the best, and lower totals are better."""
    combine: Literal["geometric", "arithmetic"]
    scale: PositiveFloat = 1.0
    groups: Annotated[tuple[MetricGroup, ...], Field(min_length=1)]
    baseline: str | None = None
    """Name of the submission that the gate or the hardest entries refer to."""
    gate: Gate | None = None

    @model_validator(mode="after")
    def _coherent(self) -> "RankingRule":
        named = {group.capped_by for group in self.groups if group.capped_by}
        named |= {self.gate.group, *self.gate.closes} if self.gate else set()
        if unknown := sorted(named - {group.name for group in self.groups}):
            raise ValueError(f"there is no group {unknown[0]!r}")
        hardest = any(selector.hardest for group in self.groups for selector in group.metrics)
        if (self.gate or hardest) and self.baseline is None:
            raise ValueError("a gate, or the hardest entries, need a baseline")
        return self


_SHELF = Shelf(RULES, RankingRule, "rule", LeaderboardError)


def rule_names() -> list[str]:
    """Every rule that `load_rule` knows by name."""
    return _SHELF.names()


def load_rule(name: str) -> RankingRule:
    """Read `rules/<name>.toml`, or a rule file given by its path.

    Raises:
        LeaderboardError: no such rule, or the file is faulty.
    """
    return _SHELF.load(name)


def rule_of(task: str) -> RankingRule:
    """The rule that a task is ranked by unless another one is asked for."""
    rules = [load_rule(name) for name in rule_names()]
    return next((rule for rule in rules if task in rule.default_for), load_rule("mean_rank"))
