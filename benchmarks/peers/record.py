"""The record of each field of a tool, in a JSON file next to the folder of its fields."""

import json
from pathlib import Path

from pydantic import RootModel

from l2r.disk import writing
from l2r.errors import OutputError
from l2r.schema import Frozen, parse, read_json


class Record(Frozen):
    """One field."""

    version: str
    """Of the tool."""
    settings: str
    seconds: float
    """From reading the images to the written field, the tool's import included."""
    peak_gib: float
    """Resident memory of the process."""
    mismatch: float
    """How far our warp by the field is from the tool's own, as a share of what the tool changed."""


class _Records(RootModel[dict[str, Record]]):
    pass


def path_of(folder: Path) -> Path:
    """Return the path of the records of a folder's fields."""
    return folder.with_name(f"{folder.name}.json")


def read_records(folder: Path) -> dict[str, Record]:
    """The records of a folder's fields by their names, none if there are none yet."""
    path = path_of(folder)
    if not path.exists():
        return {}
    return parse(_Records, read_json(path, OutputError), str(path), OutputError).root


def add_record(field: Path, record: Record) -> None:
    """Add one to the file, or replace it."""
    records = read_records(field.parent) | {field.name: record}
    content = {name: one.model_dump() for name, one in sorted(records.items())}
    with writing(path_of(field.parent)) as file:
        file.write(json.dumps(content, indent=2).encode())
