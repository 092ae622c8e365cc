"""Guided trainings learn, and go on exactly where they stopped."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models.training.dataset import collate, unbatch
from models.training.guidance.config import GuidanceSchedule, GuidanceTerm
from models.training.guidance.pretrained_network import NetworkPseudoLabellerConfig
from models.training.logging import LogFile
from models.training.loop import Validator, fit
from models.training.sampling import ListedPairs, RandomPartners
from models.training.state import LAST
from tests.models.training.conftest import NETWORK
from tests.models.training.test_guidance import CPU, level
from tests.models.training.test_loop import Notes, context_for, network, nothing, same, train

Partners = Callable[..., RandomPartners]

FEW_STEPS = GuidanceTerm.model_validate(
    {"teacher": {"name": "optimiser", "descent": {"levels": [level(steps=3)]}}}
)
AFTER_ANOTHER_NETWORK = (
    GuidanceTerm(
        teacher=NetworkPseudoLabellerConfig(model=NETWORK, epochs=1),
        when=GuidanceSchedule(until=1, threshold=0.6),
    ),
    FEW_STEPS.model_copy(update={"when": GuidanceSchedule(threshold=0.8)}),
)


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
    term = GuidanceTerm(teacher=NetworkPseudoLabellerConfig(model=NETWORK, epochs=2))
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
