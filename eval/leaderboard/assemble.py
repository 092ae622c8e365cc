"""Makes the board of a task from the database, a rule and the published tables."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from eval.leaderboard.board import Board, Column, Duels, Row, Values
from eval.leaderboard.competition import Competition
from eval.leaderboard.measure import Raw, choose, measure, units_of, weights
from eval.leaderboard.notes import notes
from eval.leaderboard.published import Metric, PublishedTable
from eval.leaderboard.ranking import Ranking, rank, resamples
from eval.leaderboard.rules import Rule
from eval.leaderboard.standing import Standing, standings
from eval.leaderboard.store import Entries, Entry, Table
from eval.protocol import Protocol

RESAMPLES = 1000


def assemble(competition: Competition, *, bootstraps: int = RESAMPLES) -> Board:
    """Rank the submissions, and put everything that a board shows in one record."""
    entries, rule, metrics = competition.entries, competition.rule, competition.metrics
    raws = list(measure(rule, choose(rule, metrics), entries))
    ranking = _rank(rule, raws, entries, bootstraps)
    scored = _scored(metrics, raws, entries)
    rows = [_submitted(entry, scored[entry.name]) for entry in entries.entries]
    rows = [_ranked(row, team, ranking) for team, row in enumerate(rows)]
    rows += [row for table in competition.tables for row in _published(table)]
    places, compared = standings(
        rule, metrics, [row.name for row in rows], [row.means for row in rows]
    )
    rows = [_placed(row, place) for row, place in zip(rows, places, strict=True)]
    return Board(
        task=competition.task.name,
        title=competition.task.title,
        rule=rule.name,
        rule_text=rule.text,
        rule_source=rule.source,
        made=f"{datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat()}Z",
        columns=_columns(metrics, raws, rows),
        rows=tuple(sorted(rows, key=_order)),
        cases=entries.cases,
        labels=tuple(str(label) for label in competition.protocol.labels or ()),
        values=tuple(_values(competition.protocol, scored)),
        duels=_duels(raws, entries, ranking),
        notes=tuple(notes(competition, raws, compared)),
    )


def number(value: float | None) -> float | None:
    """None for what is no finite number."""
    return None if value is None or not np.isfinite(value) else float(value)


def _rank(rule: Rule, raws: Sequence[Raw], entries: Entries, bootstraps: int) -> Ranking | None:
    if not raws:
        return None
    units = units_of(rule, entries.cases)
    names = [entry.name for entry in entries.entries]
    gatekeeper = names.index(rule.baseline) if rule.gate and rule.baseline in names else None
    weights = resamples(int(units.max()) + 1, bootstraps)
    return rank(rule, [raw.measured(units) for raw in raws], gatekeeper, weights)


def _scored(
    metrics: Sequence[Metric], raws: Sequence[Raw], entries: Entries
) -> dict[str, dict[str, Table]]:
    """The columns of every submission."""
    scored = {}
    for team, entry in enumerate(entries.entries):
        own = {m.name: entry.tables[m.name] for m in metrics if m.name in entry.tables}
        hardest = {
            raw.chosen.name: _by_case(raw, team, len(entries.cases))
            for raw in raws
            if raw.chosen.selector.hardest
        }
        scored[entry.name] = own | hardest
    return scored


def _by_case(raw: Raw, team: int, count: int) -> Table:
    """Mean per case of the entries that count among the hardest."""
    entries = np.bincount(raw.cases, minlength=count)
    with np.errstate(invalid="ignore"):  # a case that has none
        means = np.bincount(raw.cases, weights=raw.values[team], minlength=count) / entries
    return Table(means, entries > 0, np.empty((count, 0)))


def _submitted(entry: Entry, tables: dict[str, Table]) -> Row:
    with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN, as for the organisers
        means = {name: number(table.means[table.has].mean()) for name, table in tables.items()}
        deviations = {name: number(table.means[table.has].std()) for name, table in tables.items()}
    return Row(
        name=entry.name,
        kind="submission",
        rank=None,
        means=means,
        deviations=deviations,
        added=entry.added,
        note=entry.note,
        manifest=entry.manifest,
    )


def _ranked(row: Row, team: int, ranking: Ranking | None) -> Row:
    if ranking is None or team not in ranking.teams:
        return row
    k = int(np.flatnonzero(ranking.teams == team)[0])
    low, high = (None, None) if ranking.intervals is None else ranking.intervals[k].tolist()
    return row.model_copy(
        update={
            "rank": float(ranking.ranks[k]),
            "score": float(ranking.scores[k]),
            "interval": None if low is None else (low, high),
        }
    )


def _published(table: PublishedTable) -> list[Row]:
    names = [metric.name for metric in table.columns]
    return [
        Row(
            name=line.name,
            kind="published",
            rank=None,
            means=dict(zip(names, map(number, line.values), strict=False)),
            deviations=dict(zip(names, map(number, line.deviations), strict=False)),
            note=line.note,
            source=table.origin,
            table=table.name,
            published_rank=line.rank,
            published_score=line.score,
        )
        for line in table.rows
    ]


def _placed(row: Row, standing: Standing | None) -> Row:
    if standing is None:
        return row
    return row.model_copy(update={"rank_by_means": standing.rank, "score_by_means": standing.score})


def _order(row: Row) -> tuple[bool, float, float]:
    """Submissions by rank, then published lines by their means."""
    last = float("inf")
    by_means = last if row.rank_by_means is None else row.rank_by_means
    return (row.kind == "published", last if row.rank is None else row.rank, by_means)


def _columns(
    metrics: Sequence[Metric], raws: Sequence[Raw], rows: Sequence[Row]
) -> tuple[Column, ...]:
    """What at least one row has; the hardest entries after the whole metrics."""
    share = weights([raw.chosen for raw in raws])
    shown = {metric.name: metric for metric in metrics}
    shown |= {raw.chosen.name: raw.chosen.metric for raw in raws}
    return tuple(
        Column(name=name, unit=metric.unit, better=metric.better, weight=share.get(name, 0.0))
        for name, metric in shown.items()
        if any(name in row.means for row in rows)
    )


def _values(protocol: Protocol, scored: dict[str, dict[str, Table]]) -> list[Values]:
    count = len(protocol.labels or ())
    return [
        Values(
            submission=name,
            metric=metric,
            cases=tuple(number(value) for value in table.means),
            labels=_label_means(table) if count and table.labels.shape[1] == count else (),
        )
        for name, tables in scored.items()
        for metric, table in tables.items()
    ]


def _label_means(table: Table) -> tuple[float | None, ...]:
    """Over the cases that have a structure; None where none has."""
    finite = np.isfinite(table.labels)
    sums = np.where(finite, table.labels, 0.0).sum(axis=0)
    counts = finite.sum(axis=0)
    return tuple(float(total / n) if n else None for total, n in zip(sums, counts, strict=True))


def _duels(raws: Sequence[Raw], entries: Entries, ranking: Ranking | None) -> tuple[Duels, ...]:
    if ranking is None:
        return ()
    names = tuple(entries.entries[team].name for team in ranking.teams)
    others = ~np.eye(len(names), dtype=np.bool_)
    return tuple(
        Duels(
            metric=raw.chosen.name,
            names=names,
            p_values=tuple(
                tuple(float(p) if other else None for p, other in zip(row, mask, strict=True))
                for row, mask in zip(versus.p_values[0], others, strict=True)
            ),
            wins=tuple(tuple(bool(won) for won in row) for row in versus.wins[0]),
        )
        for raw, versus in zip(raws, ranking.versus, strict=True)
    )
