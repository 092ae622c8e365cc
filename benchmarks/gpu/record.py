"""Rows of measurements: what a part is, and the files that its rows go to."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from l2r.arrays import Shape

if TYPE_CHECKING:
    import torch

Row: TypeAlias = Mapping[str, Any]
ROWS, TABLES = "results.jsonl", "results.md"


@dataclass(frozen=True)
class Setting:
    """The machine and the data of all measurements."""

    device: "torch.device"
    task: str
    dataset: Path
    """A pair list, with its images and label maps in the same folder."""
    shape: Shape
    """Grid of networks and operations that are measured on random images."""
    output: Path
    """For what is to be kept."""
    scratch: Path
    """For fields, and everything else that is not."""
    until: float = float("inf")
    """When the part should end, in seconds of `time.time`."""

    @property
    def on_gpu(self) -> bool:
        """True if a GPU computes."""
        return self.device.type == "cuda"


@dataclass(frozen=True)
class Measurement:
    """One row to be."""

    name: str
    run: Callable[[], Row]


@dataclass(frozen=True)
class Part:
    """Measurements that belong together, the most valuable first."""

    title: str
    seconds: float
    """Of an eight-minute run; all shares shrink and grow together."""
    measurements: Callable[[Setting], Iterator[Measurement]]


def append(output: Path, line: Row) -> None:
    """Write a line that outlives whatever comes next."""
    with (output / ROWS).open("a") as file:
        file.write(json.dumps(line) + "\n")


def read(output: Path) -> list[dict[str, Any]]:
    """All lines so far."""
    path = output / ROWS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write_tables(output: Path) -> str:
    """Turn all rows into Markdown, a table per part, and write it too."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for line in read(output):
        rows = tables.setdefault(line["part"], [])
        if "row" in line:
            rows.append({"": line["row"], **line["found"]})
    text = "\n".join(_table(title, rows) for title, rows in tables.items())
    (output / TABLES).write_text(text)
    return text


def _table(title: str, rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [f"## {title}", ""]
    if rows:
        lines += [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    for row in rows:
        cells = [_cell(row.get(column, "")) for column in columns]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""]) if rows else f"## {title}\n\nNothing.\n"


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "/")
