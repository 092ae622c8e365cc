"""Guided trainings learn, and go on exactly where they stopped."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from l2r.errors import TrainingError
from models.training.context import Validator
from models.training.dataset import collate, unbatch
from models.training.distributed import DistributedContext
from models.training.guidance.cascade import CascadeConfig, CascadeDescent
from models.training.guidance.config import GuidanceSchedule, GuidanceTerm
from models.training.guidance.pretrained_network import NetworkPseudoLabellerConfig
from models.training.logging import EpochLog, LogFile, Logger
from models.training.loop import fit
from models.training.sampling import ListedPairs, RandomPartners
from models.training.schedule import PolyConfig
from models.training.state import CHECKPOINT, LAST, PREVIOUS
from models.training.teachers import guide_of
from tests.models.training.conftest import NETWORK
from tests.models.training.test_guidance import CPU, level
from tests.models.training.test_loop import Notes, context_for, network, nothing, same, train

Partners = Callable[..., RandomPartners]

FEW_STEPS = GuidanceTerm.model_validate(
    {"teacher": {"name": "optimiser", "descent": {"levels": [level(steps=3)]}}}
)
AFTER_ANOTHER_NETWORK = (
    GuidanceTerm(
        teacher=NetworkPseudoLabellerConfig(model=NETWORK, epochs=1, learns="once"),
        when=GuidanceSchedule(until=1, threshold=0.6),
    ),
    FEW_STEPS.model_copy(update={"when": GuidanceSchedule(threshold=0.8)}),
)


class Order(Logger):
    """Epochs as they ended: `t` of a teacher, `w` of the whole training."""

    def __init__(self, word: str = "w", seen: list[str] | None = None) -> None:
        self._word, self.seen = word, [] if seen is None else seen

    def for_part(self, folder: Path) -> "Order":  # noqa: ARG002 - there is one
        return Order("t", self.seen)

    def epoch(self, news: EpochLog) -> None:  # noqa: ARG002 - that it ended is enough
        self.seen.append(self._word)


@pytest.mark.slow
def test_it_learns_what_it_is_taught_and_is_judged_by_the_images(
    tmp_path: Path, partners: Partners, judged: ListedPairs
) -> None:
    changes = {"guidance": (GuidanceTerm(),), "epochs": 10, "learning_rate": 1e-3}
    notes, _ = train(tmp_path / "out", partners(), validator=Validator(judged, nothing), **changes)
    for news in notes.epochs:
        assert set(news.training) == {"similarity", "diffusion", "guidance"}
        assert news.training["guidance"] > 1e-4
        assert set(news.validation) == {"similarity", "diffusion"}
    validation = [sum(news.validation.values()) for news in notes.epochs]
    assert validation[-1] < validation[0] - 0.01


def test_a_network_teaches_after_its_own_epochs(tmp_path: Path, partners: Partners) -> None:
    term = GuidanceTerm(teacher=NetworkPseudoLabellerConfig(model=NETWORK, epochs=2, learns="once"))
    folder = tmp_path / "out"
    training = context_for(folder, partners(), guidance=(term,), epochs=1)
    fit(network(), training, [LogFile(folder)])
    lines = {
        name: [json.loads(line) for line in (folder / name / "log.jsonl").read_text().splitlines()]
        for name in (".", "teacher-1")
    }
    assert [line["epochs"] for line in lines["."]] == [1]
    assert [line["epochs"] for line in lines["teacher-1"]] == [2, 2]
    assert "guidance" not in lines["teacher-1"][0]["training"]
    assert lines["."][0]["training"]["guidance"] > 0
    assert not same(load_file(folder / LAST), load_file(folder / "teacher-1" / LAST))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("learns", "epochs"), [("once", 2), ("before_every_epoch", 6)])
def test_a_network_learns_on_before_every_epoch_or_once(
    tmp_path: Path, partners: Partners, learns: str, epochs: int
) -> None:
    teacher = NetworkPseudoLabellerConfig(model=NETWORK, epochs=2, learns=learns)
    terms, folder = (GuidanceTerm(teacher=teacher),), tmp_path / "out"
    order = Order()
    training = context_for(folder, partners(3), guidance=terms, epochs=3)
    fit(network(), training, [LogFile(folder), order])
    assert len(lines(folder / "teacher-1")) == epochs
    assert len(lines(folder)) == 3
    expected = {"once": "ttwww", "before_every_epoch": "ttwttwttw"}
    assert "".join(order.seen) == expected[learns]


def test_a_network_does_not_learn_for_epochs_in_which_it_does_not_teach(
    tmp_path: Path, partners: Partners
) -> None:
    teacher = NetworkPseudoLabellerConfig(model=NETWORK, epochs=1)
    term = GuidanceTerm(teacher=teacher, when=GuidanceSchedule(after=1, every=2))
    order, folder = Order(), tmp_path / "out"
    fit(network(), context_for(folder, partners(3), guidance=(term,), epochs=4), [order])
    assert "".join(order.seen) == "wtwwtw"


def test_the_rate_of_a_network_that_teaches_falls_with_that_of_the_training(
    tmp_path: Path, partners: Partners
) -> None:
    teacher = NetworkPseudoLabellerConfig(model=NETWORK, epochs=2)
    changes = {"guidance": (GuidanceTerm(teacher=teacher),), "epochs": 2}
    context = context_for(tmp_path / "out", partners(3), schedule=PolyConfig(over=4), **changes)
    fit(network(), context, [LogFile(tmp_path / "out")])
    rates = [
        [line["learning_rate"] for line in lines(tmp_path / "out" / n)] for n in (".", "teacher-1")
    ]
    assert rates[1][::2] == rates[0]
    assert rates[1] == sorted(rates[1], reverse=True)


def test_a_cascade_that_learns_over_pairs_wants_one_process(
    tmp_path: Path, partners: Partners
) -> None:
    settings = {"guidance": (GuidanceTerm(teacher=CascadeConfig(model=NETWORK)),)}
    two = replace(context_for(tmp_path, partners(), **settings), processes=DistributedContext(0, 2))
    with pytest.raises(TrainingError, match="several processes cannot share; train in one"):
        guide_of(two)
    anew = {
        "guidance": (GuidanceTerm(teacher=CascadeConfig(model=NETWORK, learns="each_pair_anew")),)
    }
    guide, trained = guide_of(
        replace(context_for(tmp_path, partners(), **anew), processes=DistributedContext(0, 2))
    )
    assert guide is not None
    assert trained == []


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [2, 4, 6, 8])
def test_teachers_that_go_on_learning_are_resumed_in_the_same_bits(
    tmp_path: Path, partners: Partners, stop_after: int
) -> None:
    """A network learns for three steps before each epoch of three, of which a cascade has some."""
    cascade = CascadeConfig(model=NETWORK, descent=CascadeDescent(steps=2, learning_rate=1e-2))
    terms = (
        GuidanceTerm(teacher=cascade, when=GuidanceSchedule(threshold=0.5)),
        GuidanceTerm(teacher=NetworkPseudoLabellerConfig(model=NETWORK, epochs=1)),
    )
    changes = {"guidance": terms, "epochs": 3}
    whole, weights = train(tmp_path / "whole", partners(3), **changes)
    steps = iter(range(1, 100))
    cut = context_for(
        tmp_path / "cut", partners(3), stop=lambda: next(steps) >= stop_after, **changes
    )
    first = Notes()
    assert fit(network(), cut, [first]) == "stopped"
    torch.manual_seed(99)
    second, resumed = train(tmp_path / "cut", partners(3), **changes)
    assert same(resumed, weights)
    assert len([*first.epochs, *second.epochs]) == len(whole.epochs) == 6  # none is repeated
    assert [n.losses for n in [*first.steps, *second.steps]] == [n.losses for n in whole.steps]
    names = [tmp_path / name / "teacher-2" / LAST for name in ("whole", "cut")]
    assert same(*map(load_file, names))


def test_the_checkpoint_before_has_the_teacher_of_its_time(
    tmp_path: Path, partners: Partners
) -> None:
    """A damaged checkpoint costs an epoch, but the network that teaches does not begin again."""
    teacher = NetworkPseudoLabellerConfig(model=NETWORK, epochs=1)
    changes = {"guidance": (GuidanceTerm(teacher=teacher),), "epochs": 2}
    folder = tmp_path / "out"
    _, weights = train(folder, partners(3), **changes)
    (folder / PREVIOUS).rename(folder / CHECKPOINT)
    notes, again = train(folder, partners(3), **changes)
    assert same(again, weights)
    assert len(notes.epochs) == 1


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [4, 6, 7, 13])
def test_interrupted_and_resumed_it_ends_in_the_same_bits(
    tmp_path: Path, partners: Partners, stop_after: int
) -> None:
    """Six steps of the teacher's own training come first."""
    changes = {"guidance": AFTER_ANOTHER_NETWORK, "epochs": 2}
    whole, weights = train(tmp_path / "whole", partners(), **changes)
    assert 0 < sum(news.losses["guidance"] == 0 for news in whole.steps[6:]) < 12
    steps = iter(range(1, 100))
    cut = context_for(
        tmp_path / "cut", partners(), stop=lambda: next(steps) >= stop_after, **changes
    )
    first = Notes()
    assert fit(network(), cut, [first]) == "stopped"
    torch.manual_seed(99)  # whatever the new process has drawn before
    second, resumed = train(tmp_path / "cut", partners(), **changes)
    assert same(resumed, weights)
    losses = [news.losses for news in [*first.steps, *second.steps]]
    assert losses == [news.losses for news in whole.steps]


def test_a_batch_is_taken_apart_as_it_was_put_together(judged: ListedPairs) -> None:
    cases = [judged.read(0, number)(CPU) for number in range(2)]
    labelled = [type(case)(case.fixed, case.moving, (case.moving, case.fixed)) for case in cases]
    for batches in (cases, labelled):
        for one, again in zip(batches, unbatch(collate(batches)), strict=True):
            assert torch.equal(one.fixed, again.fixed)
            assert torch.equal(one.moving, again.moving)
            assert (one.labels is None) == (again.labels is None)
            for a, b in zip(one.labels or (), again.labels or (), strict=True):
                assert torch.equal(a, b)
