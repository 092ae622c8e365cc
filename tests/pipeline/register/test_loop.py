"""The run with stages of our own: what happens around them."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
import torch

from l2r.dataset import read_pairs
from l2r.errors import ImageError, OutputError
from l2r.grid import GridRule, working_grid
from l2r.phantom import write_phantom
from l2r.prepare import Prepared
from l2r.submission import field_names
from l2r.task import load_task
from pipeline.register.build import Stages
from pipeline.register.clock import Budget, Stopwatch
from pipeline.register.export import ExportField
from pipeline.register.loop import Job, Run
from pipeline.register.manifest import Ledger, Settings
from pipeline.register.stage import Predicted

SETTINGS = Settings(
    task={}, config={}, weights_sha256=None, device="cpu", versions={}, commit=None,
    time_budget_s=None,
)  # fmt: skip
SHAPE = (32, 40, 36)


@dataclass
class Workshop:
    """Stages that note what they do, on the pairs of the phantom."""

    phantom: Path
    folder: Path
    events: list[str] = field(default_factory=list)
    fail: dict[str, Exception] = field(default_factory=dict)

    def note(self, stage: str, name: str) -> None:
        self.events.append(f"{stage} {name[-9:-5]}")
        if stage in self.fail and name.endswith("0003_0000"):
            raise self.fail[stage]

    def preprocess(self, pair: object) -> Prepared:
        self.note("read", pair.fixed.stem)
        volume = np.zeros(SHAPE, np.float32)
        return Prepared(pair, volume, volume, working_grid(SHAPE, SHAPE, GridRule()), np.eye(4))

    def predict(self, item: Prepared) -> Predicted:
        self.note("predict", item.pair.fixed.stem)
        return Predicted(item, np.ones((*SHAPE, 3), np.float32))

    def refine(self, item: Predicted) -> Predicted:
        self.note("refine", item.prepared.pair.fixed.stem)
        return item.refined(2 * item.vectors, {"doubled": True})

    def export(self, item: Predicted) -> Path:
        self.note("export", item.prepared.pair.fixed.stem)
        task = load_task(str(self.phantom / "phantom.toml"))
        return ExportField(task, self.folder)(item)

    def run(self) -> dict[str, int]:
        task = load_task(str(self.phantom / "phantom.toml"))
        pairs = read_pairs(self.phantom / "PHANTOM_dataset.json", self.phantom)
        job = Job(field_names(task.field, pairs), self.folder, SHAPE)
        stages = Stages(self.preprocess, self.predict, (self.refine, self.refine), self.export)
        self.ledger = Ledger(self.folder, SETTINGS)
        return dict(Run(job, stages, self.ledger)(lambda _: None))


@pytest.fixture
def workshop(phantom: Path, tmp_path: Path) -> Workshop:
    return Workshop(phantom, tmp_path)


def test_every_stage_follows_the_one_before_for_every_pair(workshop: Workshop) -> None:
    assert workshop.run() == {"done": 2}
    for number in ("0002", "0003"):
        stages = [event.split()[0] for event in workshop.events if event.endswith(number)]
        assert stages == ["read", "predict", "refine", "refine", "export"]


@pytest.mark.parametrize("stage", ["read", "predict", "refine", "export"])
@pytest.mark.parametrize("error", [ImageError("no such file"), RuntimeError("out of memory")])
def test_a_failure_in_any_stage_costs_its_own_pair(
    workshop: Workshop, stage: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    workshop.fail[stage] = error
    assert workshop.run() == {"done": 1, "fallback": 1}
    unexpected = isinstance(error, RuntimeError)
    assert [record.exc_info is not None for record in caplog.records] == [True] * unexpected


def test_an_output_that_cannot_be_written_ends_the_run(workshop: Workshop) -> None:
    workshop.fail["export"] = OutputError("disk full")
    with pytest.raises(OutputError, match="disk full"):
        workshop.run()
    assert [path.name for path in workshop.folder.glob("disp*")] == ["disp_0002_0001.nii.gz"]


def test_the_next_pair_is_read_while_the_first_is_computed(workshop: Workshop) -> None:
    second_read, plain = threading.Event(), workshop.preprocess

    def preprocess(pair: object) -> Prepared:
        if pair.fixed.stem.endswith("0003_0000"):
            second_read.set()
        return plain(pair)

    def predict(item: Prepared) -> Predicted:
        assert second_read.wait(timeout=30)
        return Predicted(item, np.ones((*SHAPE, 3), np.float32))

    workshop.preprocess, workshop.predict = preprocess, predict
    assert workshop.run() == {"done": 2}


def test_the_first_pair_is_written_while_the_second_is_computed(workshop: Workshop) -> None:
    first_written, plain = threading.Event(), workshop.export

    def export(item: Predicted) -> Path:
        first_written.set()
        return plain(item)

    def predict(item: Prepared) -> Predicted:
        if item.pair.fixed.stem.endswith("0003_0000"):
            assert first_written.wait(timeout=30)
        return Predicted(item, np.ones((*SHAPE, 3), np.float32))

    workshop.export, workshop.predict = export, predict
    assert workshop.run() == {"done": 2}


def test_what_a_stage_draws_at_random_depends_on_the_seed_alone(workshop: Workshop) -> None:
    def predict(item: Prepared) -> Predicted:
        return Predicted(item, torch.rand(*SHAPE, 3).numpy())

    workshop.predict = predict
    workshop.run()
    first, second = (path.read_bytes() for path in sorted(workshop.folder.glob("disp*")))
    assert first == second  # every pair begins with the seed, so resuming changes nothing


def test_no_more_than_three_pairs_are_in_memory(tmp_path: Path) -> None:
    write_phantom(tmp_path, subjects=8)
    workshop = Workshop(tmp_path, tmp_path / "out")
    workshop.folder.mkdir()
    made: list[ref[Prepared]] = []
    plain, most = workshop.preprocess, 0

    def preprocess(pair: object) -> Prepared:
        nonlocal most
        prepared = plain(pair)
        made.append(ref(prepared))
        most = max(most, sum(item() is not None for item in made))
        return prepared

    workshop.preprocess = preprocess
    assert workshop.run() == {"done": 7}
    assert most <= 3


def test_a_stopwatch_adds_up_what_each_stage_takes() -> None:
    watch = Stopwatch()
    for _ in range(2):
        with watch.measure("work"):
            time.sleep(0.02)
    assert 0.04 <= watch.seconds["work"] < 1
    assert watch.total == watch.seconds["work"]


def test_a_budget_keeps_time_free_for_what_follows() -> None:
    now = time.monotonic()
    assert Budget(None).deadline(1.0) is None
    assert Budget(60.0).deadline(1.0) == pytest.approx(now + 60 - 1 - 12, abs=0.5)
    assert Budget(60.0).deadline(0.01) == pytest.approx(now + 60 - 2, abs=0.5)
    assert Budget(60.0, slowest_end=4.0).deadline(1.0) == pytest.approx(now + 52.5, abs=0.5)
