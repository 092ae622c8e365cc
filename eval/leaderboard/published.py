"""Tables that organisers published: means of teams whose scores per case nobody has.

`published/<table>.toml` holds one each. They are shown beside submissions, and never ranked by a
test, because a test needs the cases.
"""

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from l2r.errors import LeaderboardError
from l2r.schema import Frozen, Shelf

PUBLISHED = Path(__file__).parent / "published"


class MetricInfo(Frozen):
    """A column, of a task or of a published table."""

    name: str
    kind: str
    """As a task file says `metric = "dice"`; a word of its own where Regatta has no such metric."""
    better: Literal["higher", "lower"]
    unit: str = ""


class PublishedTeam(Frozen):
    """A team of a published table; `nan` where a number was not published."""

    name: str
    values: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()
    score: float | None = None
    rank: PositiveInt | None = None
    note: str = ""


class PublishedTable(Frozen):
    """A table as it was published."""

    name: str
    task: str
    title: str
    source: str
    date: dt.date | None = None
    """Of publication, where it is known."""
    pairs: PositiveInt | None = None
    """Over which the means were taken; None where that was not published."""
    experiment: bool = False
    """An experiment of a paper, whose rows stand beside others only where it is named."""
    text: str
    columns: tuple[MetricInfo, ...]
    rows: Annotated[tuple[PublishedTeam, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _complete(self) -> "PublishedTable":
        for row in self.rows:
            for numbers in filter(None, (row.values, row.deviations)):
                if len(numbers) != len(self.columns):
                    raise ValueError(
                        f"{row.name} has {len(numbers)} numbers for {len(self.columns)} columns"
                    )
        return self

    @property
    def count(self) -> str:
        """Number of pairs in words."""
        return "an unstated number of pairs" if self.pairs is None else f"{self.pairs} pairs"

    @property
    def origin(self) -> str:
        """Source and date."""
        return f"{self.source}, {self.date}" if self.date else self.source


_SHELF = Shelf(PUBLISHED, PublishedTable, "published table", LeaderboardError)


def table_names() -> list[str]:
    """Every table that `load_table` knows by name."""
    return _SHELF.names()


def load_table(name: str) -> PublishedTable:
    """Read `published/<name>.toml`, or a table given by its path.

    Raises:
        LeaderboardError: no such table, or the file is faulty.
    """
    return _SHELF.load(name)


def tables_of(task: str) -> list[PublishedTable]:
    """All tables of a task."""
    tables = (load_table(name) for name in table_names())
    return [table for table in tables if table.task == task]
