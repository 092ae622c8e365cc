"""Notes that a reader of a board needs."""

from collections.abc import Iterator, Sequence

from eval.leaderboard.competition import Competition
from eval.leaderboard.measure import MetricValues, choose
from eval.leaderboard.rules import RankingRule


def notes(
    competition: Competition, values: Sequence[MetricValues], compared: Sequence[str]
) -> Iterator[str]:
    """One sentence or two each.

    Args:
        competition: what is shown.
        values: the metrics that were ranked.
        compared: the metrics that all rows have a mean of.
    """
    rule = competition.rule
    if rule.inferred:
        yield f"The organisers have not published the rule {rule.name}. {rule.source}"
    if competition.loaded.submissions:
        yield from _left_out(rule, values)
        yield from _baseline(competition, rule)
        yield from _incomplete(competition, values)
    if competition.tables:
        yield from _published(competition, compared)


def _left_out(rule: RankingRule, values: Sequence[MetricValues]) -> Iterator[str]:
    ranked = {each.metric.group.name for each in values}
    missing = [group.name for group in rule.groups if group.name not in ranked]
    if not ranked:
        yield f"Nothing is ranked: no submission has a metric of the rule {rule.name}."
    elif missing:
        yield (
            f"The rule also weighs {', '.join(missing)}, which no submission here has; the weights "
            "of the others are scaled to 1."
        )


def _baseline(competition: Competition, rule: RankingRule) -> Iterator[str]:
    if rule.baseline is None or rule.baseline in [
        each.name for each in competition.loaded.submissions
    ]:
        return
    if rule.gate:
        yield f"The gate stands open: there is no submission named {rule.baseline!r}."
    if any(metric.selector.hardest for metric in choose(rule, competition.metrics)):
        yield (
            "The hardest entries are left out: there is no submission named "
            f"{rule.baseline!r}, whose scores say which they are."
        )


def _incomplete(competition: Competition, values: Sequence[MetricValues]) -> Iterator[str]:
    for submission in competition.loaded.submissions:
        lacking = {
            each.metric.info.name
            for each in values
            if each.metric.info.name not in submission.tables
        }
        if lacking:
            yield f"{submission.name} lacks {', '.join(sorted(lacking))}."


def _published(competition: Competition, compared: Sequence[str]) -> Iterator[str]:
    yield (
        "Published lines are means only, so they have no rank and no significance. The rank by "
        "means compares all rows, and only by their means"
        + (f" of {', '.join(compared)}." if compared else ", but they share no metric.")
    )
    count = len(competition.loaded.cases)
    for table in competition.tables:
        yield f"{table.title} ({table.count}): {table.text} {table.origin}"
        if count and count != table.pairs:
            yield (
                f"The submissions have {count} cases, {table.name} is over {table.count}: "
                "compare with care."
            )
