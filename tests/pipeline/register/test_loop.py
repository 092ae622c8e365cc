"""The loop over pairs with stages of our own: what happens around them."""

import threading
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
import torch

from l2r.dataset import read_pairs
from l2r.errors import ImageError, OutputError
from l2r.field import zero_field
from l2r.grid import GridRule, working_grid
from l2r.phantom import write_phantom
from l2r.prepare import Prepared
from l2r.submission import field_names
from l2r.task import load_task
from models.descent.objective import ImagePair
from pipeline.register.clock import Budget, Stopwatch
from pipeline.register.export import ExportField
from pipeline.register.improvement import (
    KEPT_LAST,
    NO_TIME,
    STILL,
    UNIMPROVED,
    is_unimproved,
    shortcomings,
)
from pipeline.register.ledger import WHOLE, Ledger
from pipeline.register.loop import RegistrationLoop
from pipeline.register.manifest import LevelRecord, RefinementRecord, RunSettings
from pipeline.register.predict import field_to_torch, to_torch
from pipeline.register.records import Predicted
from pipeline.register.stages import Stages

SETTINGS = RunSettings(
    task={}, config={}, weights_sha256=None, device="cpu", versions={}, commit=None,
    time_budget_s=None,
)  # fmt: skip
SHAPE = (32, 40, 36)
IMPROVED = RefinementRecord(
    levels=(LevelRecord(steps=2, skipped=0, stopped="steps", best_step=2),), improved=True
)


class NotedExport(ExportField):
    """Calls a function before each field is written."""

    def __init__(self, workshop: "Workshop") -> None:
        super().__init__(load_task(str(workshop.phantom / "phantom.toml")), workshop.folder)
        object.__setattr__(self, "workshop", workshop)

    def __call__(self, name: str, vectors: object, affine: object) -> Path:
        self.workshop.export(name)
        return super().__call__(name, vectors, affine)


def predicted(item: Prepared, field: np.ndarray) -> Predicted:
    images = ImagePair(
        *(to_torch(volume, torch.device("cpu")) for volume in (item.fixed, item.moving))
    )
    return Predicted(item, images, field_to_torch(field, torch.device("cpu")))


@dataclass
class Workshop:
    """Stages that note what they do, on the pairs of the phantom."""

    phantom: Path
    folder: Path
    events: list[str] = field(default_factory=list)
    file_threads: int = 1
    fail: dict[str, Exception] = field(default_factory=dict)

    def note(self, stage: str, name: str) -> None:
        number = "0003" if "0003" in name else "0002"
        self.events.append(f"{stage} {number}")
        if stage in self.fail and number == "0003":
            raise self.fail[stage]

    def preprocess(self, pair: object) -> Prepared:
        self.note("read", pair.fixed.stem)
        volume = np.zeros(SHAPE, np.float32)
        return Prepared(pair, volume, volume, working_grid(SHAPE, SHAPE, GridRule()), np.eye(4))

    def predict(self, item: Prepared, _deadline: float | None) -> Predicted:
        self.note("predict", item.pair.fixed.stem)
        return predicted(item, np.ones((*SHAPE, 3), np.float32))

    def refine(self, item: Predicted, *_: object) -> Predicted:
        self.note("refine", item.prepared.pair.fixed.stem)
        return replace(item, field=2 * item.field, refinements=(*item.refinements, IMPROVED))

    def export(self, name: str) -> None:
        self.note("export", name)

    def run(self) -> dict[str, int]:
        export = NotedExport(self)
        pairs = read_pairs(self.phantom / "PHANTOM_dataset.json", self.phantom)
        named = field_names(export.task.field, pairs)
        stages = Stages(self.preprocess, self.predict, (self.refine, self.refine), seed=5)
        with Ledger(self.folder, SETTINGS, WHOLE, named) as ledger:
            loop = RegistrationLoop(stages, export, ledger=ledger, file_threads=self.file_threads)
            return dict(loop(named, lambda _: None))


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

    def predict(item: Prepared, _deadline: float | None) -> Predicted:
        assert second_read.wait(timeout=30)
        return predicted(item, np.ones((*SHAPE, 3), np.float32))

    workshop.preprocess, workshop.predict = preprocess, predict
    assert workshop.run() == {"done": 2}


def test_the_first_pair_is_written_while_the_second_is_computed(workshop: Workshop) -> None:
    first_written, plain = threading.Event(), workshop.export

    def export(name: str) -> None:
        first_written.set()
        plain(name)

    def predict(item: Prepared, _deadline: float | None) -> Predicted:
        if item.pair.fixed.stem.endswith("0003_0000"):
            assert first_written.wait(timeout=30)
        return predicted(item, np.ones((*SHAPE, 3), np.float32))

    workshop.export, workshop.predict = export, predict
    assert workshop.run() == {"done": 2}


def many(folder: Path, file_threads: int) -> Workshop:
    """Seven pairs."""
    write_phantom(folder, subjects=8)
    workshop = Workshop(folder, folder / "out", file_threads=file_threads)
    workshop.folder.mkdir()
    return workshop


def test_beside_a_gpu_three_pairs_are_read_and_three_fields_written_at_a_time(
    tmp_path: Path,
) -> None:
    workshop = many(tmp_path, file_threads=3)
    plain_read, plain_write = workshop.preprocess, workshop.export
    readers, writers = threading.Barrier(3), threading.Barrier(3)
    reads, writes, order = count(), count(), []

    def preprocess(pair: object) -> Prepared:
        if next(reads) < 3:
            readers.wait(timeout=30)  # until three are here; else their pairs fail
        return plain_read(pair)

    def predict(item: Prepared, _deadline: float | None) -> Predicted:
        order.append(item.pair.fixed.stem)
        return predicted(item, np.ones((*SHAPE, 3), np.float32))

    def export(name: str) -> None:
        if next(writes) < 3:
            writers.wait(timeout=30)
        plain_write(name)

    workshop.preprocess, workshop.predict, workshop.export = preprocess, predict, export
    assert workshop.run() == {"done": 7}
    assert order == sorted(order)  # computed in the order of the list
    assert len(list(workshop.folder.glob("disp*"))) == 7


@pytest.mark.gpu
def test_a_stage_ends_when_the_gpu_is_done_with_it(workshop: Workshop) -> None:
    plain_predict, plain_refine, idle = workshop.predict, workshop.refine, []

    def predict(item: Prepared, deadline: float | None) -> Predicted:
        found = plain_predict(item, deadline)
        found = replace(found, field=found.field.cuda())
        torch.cuda._sleep(10**8)  # clock ticks of the GPU; this call does not wait for them
        return found

    def refine(item: Predicted, *_: object) -> Predicted:
        idle.append(torch.cuda.current_stream().query())
        return plain_refine(item)

    workshop.predict, workshop.refine = predict, refine
    assert workshop.run() == {"done": 2}
    assert idle[0]  # later ones may see a field on its way to its file


def test_what_a_stage_draws_at_random_depends_on_the_seed_alone(workshop: Workshop) -> None:
    drawn = []

    def refine(item: Predicted, generator: torch.Generator, _: float | None) -> Predicted:
        noise = torch.rand(item.field.shape, generator=generator)
        drawn.append(noise)
        return replace(item, field=noise, refinements=(IMPROVED,))

    workshop.refine = refine
    state = torch.get_rng_state()
    workshop.run()
    first, second = (path.read_bytes() for path in sorted(workshop.folder.glob("disp*")))
    assert first == second  # every pair begins with the seed, so resuming changes nothing
    expected = torch.rand(drawn[0].shape, generator=torch.Generator().manual_seed(5))
    assert all(torch.equal(noise, expected) for noise in drawn)
    assert torch.equal(torch.get_rng_state(), state)  # torch's own generator is left alone


@pytest.mark.parametrize(("file_threads", "expected"), [(1, 3), (2, 5)])
def test_no_more_than_three_pairs_are_in_memory_or_five(
    tmp_path: Path, file_threads: int, expected: int
) -> None:
    workshop = many(tmp_path, file_threads)
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
    assert most <= expected


def test_a_stopwatch_adds_up_what_each_stage_takes() -> None:
    watch = Stopwatch(clock=iter([10.0, 10.5, 20.0, 20.25, 30.0, 31.0]).__next__)
    for stage in ("read", "read", "write"):
        with watch.measure(stage):
            pass
    assert watch.seconds == {"read": 0.75, "write": 1.0}
    assert watch.total == 1.75


def test_a_stopwatch_counts_a_stage_that_fails() -> None:
    watch = Stopwatch(clock=iter([1.0, 3.0]).__next__)
    with pytest.raises(ImageError), watch.measure("read"):
        raise ImageError("damaged")
    assert watch.seconds == {"read": 2.0}


def test_a_budget_keeps_time_free_for_what_follows() -> None:
    def now() -> float:
        return 100.0

    assert Budget(None, clock=now).deadline(1.0) is None
    assert Budget(60.0, clock=now).deadline(1.0) == 100 + 60 - 1 - 12
    assert Budget(60.0, clock=now).deadline(0.01) == 100 + 60 - 0.01 - 2
    assert Budget(60.0, slowest_end=4.0, clock=now).deadline(1.0) == 152.5


def test_a_budget_learns_the_slowest_end() -> None:
    budget = Budget(60.0, clock=lambda: 100.0)
    for refined_at in (98.0, 96.0, 99.0):
        budget.note_end(refined_at)
    assert budget.slowest_end == 4.0
    assert [budget.is_exceeded(seconds) for seconds in (60.0, 60.1)] == [False, True]
    assert not Budget(None).is_exceeded(1e9)


LEVELS = {
    "improved": LevelRecord(steps=5, skipped=0, stopped="steps", best_step=3),
    "worse": LevelRecord(steps=5, skipped=0, stopped="steps", best_step=0),
    "diverged": LevelRecord(steps=0, skipped=4, stopped="diverged"),
    "late": LevelRecord(steps=0, skipped=0, stopped="deadline"),
}


@pytest.mark.parametrize(
    ("levels", "network", "expected"),
    [
        ([], 0.0, False),  # no refinement: a zero field is what the run file wants
        (["improved"], 1.0, False),
        (["worse", "improved"], 1.0, False),
        (["improved", "diverged"], 1.0, False),
        (["diverged"], 0.0, True),
        (["diverged"], 1.0, True),
        (["worse"], 0.0, True),
        (["late"], 0.0, True),
        (["late"], 1.0, False),  # the network's field, as the time budget wants it
    ],
)
def test_a_field_that_no_step_improved_is_known(
    workshop: Workshop, levels: list[str], network: float, expected: bool
) -> None:
    pair = read_pairs(workshop.phantom / "PHANTOM_dataset.json", workshop.phantom)[0]
    records = tuple(
        RefinementRecord(levels=(LEVELS[name],), improved=name == "improved") for name in levels
    )
    item = predicted(workshop.preprocess(pair), zero_field(SHAPE) + np.float32(network))
    assert is_unimproved(replace(item, refinements=records)) is expected


@pytest.mark.parametrize(
    ("levels", "network", "still", "expected"),
    [
        ([], 0.0, False, []),
        ([], 0.0, True, [STILL]),
        (["improved"], 0.0, True, [STILL]),
        (["worse"], 1.0, False, [UNIMPROVED]),
        (["late"], 1.0, False, [NO_TIME]),
        (["late"], 0.0, True, [STILL, UNIMPROVED]),
    ],
)
def test_what_gave_nothing_is_a_warning(
    workshop: Workshop, levels: list[str], network: float, *, still: bool, expected: list[str]
) -> None:
    pair = read_pairs(workshop.phantom / "PHANTOM_dataset.json", workshop.phantom)[0]
    records = tuple(
        RefinementRecord(levels=(LEVELS[name],), improved=name == "improved") for name in levels
    )
    item = predicted(workshop.preprocess(pair), zero_field(SHAPE) + np.float32(network))
    item = replace(item, refinements=records, still=still)
    assert list(shortcomings(item)) == expected
    assert is_unimproved(item) is (expected not in ([], [NO_TIME]) and "improved" not in levels)


def test_a_last_step_that_is_kept_although_it_is_worse_is_a_warning(workshop: Workshop) -> None:
    pair = read_pairs(workshop.phantom / "PHANTOM_dataset.json", workshop.phantom)[0]
    item = predicted(workshop.preprocess(pair), zero_field(SHAPE))
    kept = RefinementRecord(levels=(LEVELS["worse"],), improved=True)
    assert list(shortcomings(replace(item, refinements=(kept,)))) == [KEPT_LAST]
