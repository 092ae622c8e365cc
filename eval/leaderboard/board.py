"""The content of a leaderboard: one record that the terminal's table and the page are made of."""

from typing import Literal

from pydantic import Field

from l2r.schema import Frozen


class MetricColumn(Frozen):
    """A metric that is ranked or shown."""

    name: str
    """As the protocol calls it."""
    unit: str = ""
    better: Literal["higher", "lower"]
    weight: float
    """Of the metric in the rule; 0 if it is shown only."""


class BoardRow(Frozen):
    """A submission, or a line of a published table."""

    name: str
    kind: Literal["submission", "published"]
    rank: float | None
    """1 is the best, ties share a mean; None where the rule cannot rank it."""
    interval: tuple[float, float] | None = None
    """The ranks between which 95 % of the bootstraps lie; None without per-case data."""
    score: float | None = None
    """Of the rule, where it has one."""
    means: dict[str, float | None]
    """By metric; None where it is missing or no finite number."""
    deviations: dict[str, float | None] = Field(default_factory=dict)
    """Standard deviation over cases, by metric."""
    added: str = ""
    """ISO 8601, UTC."""
    note: str = ""
    source: str = ""
    """Origin of a published line."""
    manifest: str = ""
    """The submission's `manifest.json`, as it was added; empty where there was none."""
    report: str = ""
    """Address of the submission's report, relative to the page; empty where there is none."""
    rank_by_means: float | None = None
    """Among all rows, published ones too, where the better mean beats the worse: no test, no
    significance. None where a row lacks a mean that the others have."""
    score_by_means: float | None = None
    """Of the rule with that comparison."""
    table: str = ""
    """Name of the published table that a published line is of."""
    published_rank: int | None = None
    """As the organisers published it, among their teams."""
    published_score: float | None = None
    """As the organisers published it, by their own rule at that time."""


class CaseValues(Frozen):
    """One metric of one submission, case by case."""

    submission: str
    metric: str
    cases: tuple[float | None, ...]
    """In the order of `Board.cases`; None where a case lacks the metric or is no finite number."""
    labels: tuple[float | None, ...] = ()
    """Mean over cases per structure, in the order of `Board.labels`; empty for other metrics."""


class PairwiseTests(Frozen):
    """Tests of every submission against every other in one metric."""

    metric: str
    names: tuple[str, ...]
    p_values: tuple[tuple[float | None, ...], ...]
    """`p_values[i][j]` of the test whether `i` is better than `j`, as the rule corrects it."""
    wins: tuple[tuple[bool, ...], ...]
    """`wins[i][j]`: by the rule, `i` beats `j`."""


class Board(Frozen):
    """Everything about one task's leaderboard under one rule."""

    task: str
    title: str
    rule: str
    """Its name."""
    rule_text: str
    """In words, for those who look at the board."""
    rule_source: str
    made: str
    """ISO 8601, UTC."""
    columns: tuple[MetricColumn, ...]
    rows: tuple[BoardRow, ...]
    """Best first."""
    cases: tuple[str, ...]
    labels: tuple[str, ...]
    """Ids or names of the structures."""
    values: tuple[CaseValues, ...]
    pairwise_tests: tuple[PairwiseTests, ...]
    notes: tuple[str, ...] = ()
    """Remarks for the reader, for instance that published means carry no significance."""
