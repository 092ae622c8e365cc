"""The index of a report: what was run, every metric's distribution, the worst pairs first."""

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from eval.html import content_policy, shared_text, trusted
from eval.inspection.field_look import Candidate
from eval.inspection.methods import Methods, methods_of
from eval.inspection.outcome import FieldOutcome, PairOutcome
from eval.inspection.pair_page import template_text, templates
from eval.inspection.shown_metrics import shown_metrics
from eval.plots.boxes import LANES, BoxPlot, CaseSample, box_plot
from eval.plots.numbers import decimals, percent, written
from eval.protocol import Protocol
from eval.terminal import ARROWS
from l2r.task import Task


@dataclass(frozen=True)
class RunFacts:
    """A submission's run in words."""

    name: str
    facts: dict[str, str]
    methods: Methods | None
    """None without a record."""
    settings: str
    """The run file with all its defaults, as JSON."""


@dataclass(frozen=True)
class Column:
    """A number of every pair and submission."""

    title: str
    hint: str
    values: tuple[tuple[float | None, ...], ...]
    """By submission, then by pair."""

    @property
    def digits(self) -> int:
        """Digits after the point."""
        return decimals(n for values in self.values for n in values)


@dataclass(frozen=True)
class ReportIndex:
    """Everything that the index shows."""

    task: Task
    protocol: Protocol
    candidates: Sequence[Candidate]
    pairs: Sequence[PairOutcome]
    """In the order of the list."""


def render_index(index: ReportIndex) -> str:
    """The index as HTML, which loads no other file."""
    script = shared_text("sort.js") + template_text("index.js")
    columns = columns_of(index)
    ordered = sorted(range(len(index.pairs)), key=lambda n: index.pairs[n].order)
    environment = templates()
    for function in (percent, written):
        environment.filters[function.__name__] = function
    return environment.get_template("index.html").render(
        index=index,
        runs=[_facts(candidate) for candidate in index.candidates],
        columns=columns,
        plots=_plots(index, columns),
        lanes=LANES,
        ordered=[(n, index.pairs[n]) for n in ordered],
        flags=_counts(index.pairs),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=trusted(shared_text("look.css") + template_text("report.css")),
        script=trusted(script),
        policy=content_policy(script, files=True),
    )


def columns_of(index: ReportIndex) -> list[Column]:
    """The metrics of the task, then what a report measures itself; only what some pair has."""
    found = [
        Column(
            metric.name,
            f"{ARROWS[metric.better]} {metric.unit or metric.better + ' is better'}",
            _collect(index, _score(metric.name)),
        )
        for metric in shown_metrics(index.protocol)
    ]
    found += [Column(title, hint, _collect(index, read)) for title, hint, read in _OWN]
    return [column for column in found if any(n is not None for v in column.values for n in v)]


def _score(name: str) -> Callable[[FieldOutcome], float | None]:
    return lambda field: field.scores.get(name)


def _correlation(field: FieldOutcome) -> float | None:
    return field.measures.correlation_after if field.measures else None


def _gain(field: FieldOutcome) -> float | None:
    return field.measures.gain if field.measures else None


def _farthest(field: FieldOutcome) -> float | None:
    return field.measures.farthest_mm if field.measures else None


def _estimated_dice(field: FieldOutcome) -> float | None:
    return field.estimated_dice


def _seconds(field: FieldOutcome) -> float | None:
    return field.seconds


_OWN: tuple[tuple[str, str, Callable[[FieldOutcome], float | None]], ...] = (
    ("Local correlation", "↑ of fixed and warped", _correlation),
    ("Its gain", "↑ over the moving image as it is", _gain),
    ("Longest displacement", "mm", _farthest),
    ("Estimated Dice", "↑ by soft labels, no label map", _estimated_dice),
    ("Time", "s, all stages", _seconds),
)
"""Columns that every task has."""


def _collect(
    index: ReportIndex, read: Callable[[FieldOutcome], float | None]
) -> tuple[tuple[float | None, ...], ...]:
    """A number of every field; None for what is no finite number."""
    return tuple(
        tuple(_finite(read(pair.fields[number])) for pair in index.pairs)
        for number in range(len(index.candidates))
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _plots(index: ReportIndex, columns: Sequence[Column]) -> list[BoxPlot]:
    plots = [
        box_plot(
            column.title,
            column.hint,
            [
                CaseSample(candidate.name, number, values)
                for number, (candidate, values) in enumerate(
                    zip(index.candidates, column.values, strict=True)
                )
            ],
            column.digits,
        )
        for column in columns
    ]
    return [plot for plot in plots if plot is not None]


def _counts(pairs: Sequence[PairOutcome]) -> list[tuple[str, int]]:
    """Words of flags with the number of pairs that have them, the most frequent first."""
    words = Counter(
        word for pair in pairs for word in {f.word for field in pair.fields for f in field.flags}
    )
    return words.most_common()


def _facts(candidate: Candidate) -> RunFacts:
    record = candidate.record
    if record is None:
        return RunFacts(candidate.name, {"Record": "none beside the fields"}, None, "")
    settings, counts = record.settings, Counter(pair.status for pair in record.pairs.values())
    facts = {
        "Regatta": f"{record.regatta} {(settings.commit or '')[:8]}".strip(),
        "Computed on": settings.device,
        "Weights": (settings.weights_sha256 or "none")[:12],
        "Time budget": f"{settings.time_budget_s:g} s a pair" if settings.time_budget_s else "none",
        "Outcomes": ", ".join(f"{n} {status}" for status, n in counts.items()),
        "Peak memory": ", ".join(f"{n:.1f} GiB {k}" for k, n in record.peak_memory_gib.items()),
    }
    known = {title: text for title, text in facts.items() if text}
    return RunFacts(
        candidate.name, known, methods_of(record), json.dumps(settings.config, indent=2)
    )
