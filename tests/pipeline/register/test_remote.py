"""The work of a cluster's worker, in this process."""

from pathlib import Path

import numpy as np
import pytest

from l2r.dataset import read_pairs
from l2r.errors import ClusterError
from l2r.formats.fields import read_field
from l2r.submission import field_names
from l2r.task import load_task
from pipeline.register.config import load_run
from pipeline.register.ledger import DoneField
from pipeline.register.remote import NamedPair, RemoteRun, register_pair, was_made_before


@pytest.fixture
def run(phantom: Path, quick: Path, tmp_path: Path) -> RemoteRun:
    (tmp_path / "out").mkdir()
    task = load_task(str(phantom / "phantom.toml"))
    return RemoteRun(task, load_run(quick), "cpu", tmp_path / "out", tmp_path)


@pytest.fixture
def items(run: RemoteRun, phantom: Path) -> list[NamedPair]:
    pairs = read_pairs(phantom / "PHANTOM_dataset.json", phantom)
    return list(field_names(run.task.field, pairs).items())


def test_a_pair_that_has_killed_three_workers_gets_the_zero_field(
    run: RemoteRun, items: list[NamedPair]
) -> None:
    settings = run.settings()
    for killed, status in ((2, "done"), (3, "fallback")):
        (run.folder / f".{items[0][0]}.begun.part").write_bytes(b"." * killed)
        made = register_pair(run, settings, items[0])
        assert (made.line.name, made.line.pair.status) == (items[0][0], status)
        assert [path.name for path in run.folder.iterdir()] == [items[0][0]]
    assert made.line.pair.error == "3 workers were killed at this pair; is memory short?"
    assert not np.asarray(read_field(run.folder / items[0][0])).any()


def test_a_worker_that_would_make_other_fields_is_refused(
    run: RemoteRun, items: list[NamedPair]
) -> None:
    other = run.settings().model_copy(update={"device": "cpu, 99 threads"})
    with pytest.raises(ClusterError, match=r"this worker has device cpu, .* 99 threads; choose"):
        register_pair(run, other, items[0])
    assert list(run.folder.iterdir()) == []


def test_only_what_is_still_as_recorded_was_made_before(
    run: RemoteRun, items: list[NamedPair]
) -> None:
    settings = run.settings()
    records = [register_pair(run, settings, item).line.pair for item in items]
    claims = [
        (*item, DoneField(record.inputs_sha256, record.field_sha256))
        for item, record in zip(items, records, strict=True)
    ]

    def made() -> list[str]:
        return [claim[0] for claim in claims if was_made_before(run, claim)]

    assert made() == [name for name, _ in items]
    (run.folder / items[0][0]).write_bytes(b"something else")
    assert made() == [name for name, _ in items[1:]]
