"""The table of an experiment, as CSV and as Markdown, and its curves as CSV."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from l2r.disk import write_csv, writing
from pipeline.experiment.comparison import PairedTests, SeedMean, compare, means_of_cases
from pipeline.experiment.config import ExperimentConfig
from pipeline.experiment.results import CurvePoint, RunResult

HEADER = (
    *("system", "metric", "mean", "half width of 95 % interval", "seeds", "cases"),
    *("difference", "signed-rank p", "paired t p", "training s", "training GiB", "s per pair"),
    *("run GiB", "pairs not done"),
)


@dataclass(frozen=True)
class TableCell:
    """One metric of one system."""

    system: str
    metric: str
    mean: SeedMean
    cases: int
    tests: PairedTests | None
    """Against the reference; None for itself."""


def cells(config: ExperimentConfig, results: Sequence[RunResult]) -> list[TableCell]:
    """Every metric of every system, in the order of the experiment."""
    by_system = {
        s.name: [r for r in results if r.system == s.name and r.scores] for s in config.systems
    }
    found = []
    for name, own in by_system.items():
        for metric in dict.fromkeys(metric for result in own for metric in result.scores):
            seeds = [r.scores[metric] for r in own if metric in r.scores]
            tests = None
            if name != config.compared_with:
                others = [r.scores.get(metric, {}) for r in by_system[config.compared_with]]
                tests = compare(means_of_cases(seeds), means_of_cases(others))
            mean = SeedMean.of([fmean(one.values()) for one in seeds])
            found.append(TableCell(name, metric, mean, len(seeds[0]), tests))
    return found


def write_tables(
    config: ExperimentConfig,
    results: Sequence[RunResult],
    curves: Iterable[CurvePoint],
    folder: Path,
) -> str:
    """Write `table.csv`, `table.md` and `curves.csv`.

    Returns:
        The Markdown.

    Raises:
        OutputError: a file cannot be written.
    """
    found = cells(config, results)
    write_csv(folder / "table.csv", HEADER, (_line(cell, results) for cell in found))
    header = ("system", "seed", "curve", "place", "value")
    lines = ((p.system, p.seed, p.curve, p.place, f"{p.value:.8g}") for p in curves)
    write_csv(folder / "curves.csv", header, lines)
    text = markdown(config, found, results)
    with writing(folder / "table.md") as file:
        file.write(text.encode())
    return text


def markdown(
    config: ExperimentConfig, found: Sequence[TableCell], results: Sequence[RunResult]
) -> str:
    """One row per system: metrics with intervals and p-values, then seconds and memory."""
    metrics = list(dict.fromkeys(cell.metric for cell in found))
    costs = ("training s", "s per pair", "peak GiB: training, run")
    head = ["system", *metrics, *costs]
    rows = [head, ["---"] * len(head)]
    for system in config.systems:
        own = {cell.metric: cell for cell in found if cell.system == system.name}
        if own:
            texts = [_text(own[metric]) if metric in own else "-" for metric in metrics]
            rows.append([system.name, *texts, *_costs(system.name, results)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    seeds = ", ".join(map(str, config.seeds))
    return (
        f"# {config.title}\n\n{table}\n\nMean over pairs and seeds ({seeds}), ± half the 95 % "
        "interval over seeds; in brackets p of the signed-rank and of the paired t-test against "
        f"{config.compared_with}, over pairs.\n"
    )


def _text(cell: TableCell) -> str:
    width = "" if cell.mean.half_width is None else f" ± {cell.mean.half_width:.4f}"
    tests = ""
    if cell.tests is not None:
        tests = f" ({_p(cell.tests.signed_rank)}, {_p(cell.tests.t_test)})"
    return f"{cell.mean.mean:.4f}{width}{tests}"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _costs(system: str, results: Sequence[RunResult]) -> list[str]:
    trained, memory, seconds, peak, _ = _numbers(system, results)
    words = [f"{number:.2f}" if number is not None else "-" for number in (memory, peak)]
    return [
        "-" if trained is None else f"{trained:.0f}",
        "-" if seconds is None else f"{seconds:.1f}",
        ", ".join(words),
    ]


def _line(cell: TableCell, results: Sequence[RunResult]) -> list[object]:
    tests = cell.tests
    tested = ("", "", "") if tests is None else _tested(tests)
    trained, memory, seconds, peak, failed = _numbers(cell.system, results)
    head = (cell.system, cell.metric, cell.mean.mean, cell.mean.half_width, cell.mean.seeds)
    line = (*head, cell.cases, *tested, trained, memory, seconds, peak, failed)
    return ["" if value is None else value for value in line]


def _tested(tests: PairedTests) -> tuple[object, ...]:
    return tests.difference, tests.signed_rank, tests.t_test


def _numbers(
    system: str, results: Sequence[RunResult]
) -> tuple[float | None, float | None, float | None, float | None, int]:
    """Means of seconds, peaks of memory and the pairs that were not done."""
    own = [result for result in results if result.system == system]
    trained = [r.training_seconds for r in own if r.training_seconds is not None]
    memory = [r.training_memory_gib for r in own if r.training_memory_gib is not None]
    return (
        fmean(trained) if trained else None,
        max(memory, default=None),
        fmean([r.seconds_per_pair for r in own]) if own else None,
        max((r.peak_memory_gib for r in own), default=None),
        sum(r.unimproved for r in own),
    )
