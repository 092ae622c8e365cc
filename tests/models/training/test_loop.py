"""The loop learns, and goes on exactly where it stopped."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, distributed, multiprocessing

from l2r.dataset import read_pairs, scans_of_folder
from l2r.errors import ImageError, TrainingError
from l2r.grid import GridRule
from l2r.task import load_task
from models.descent.objective import ImagePair
from models.losses.catalog import SumOfSimilarities, WeightedSimilarity
from models.losses.gradient_correlation import GradientCorrelation
from models.losses.lncc import Lncc
from models.networks.base import RegistrationModel
from models.networks.identity import IdentityConfig
from models.optim.optimisers import AdamConfig, FAdamConfig
from models.training.cache import Cache
from models.training.config import TrainConfig, TrainingObjective
from models.training.context import TrainContext, ValidationScores, Validator
from models.training.dataset import Dataset, Sample
from models.training.distributed import DistributedContext
from models.training.logging import EpochLog, Logger, StepLog
from models.training.loop import fit
from models.training.sampling import ListedPairs, PairPreprocessor, RandomPartners
from models.training.schedule import ConstantConfig
from models.training.state import BEST, CHECKPOINT, LAST, PREVIOUS
from tests.models.training.conftest import CONFIG, NETWORK

CPU = torch.device("cpu")
Partners = Callable[..., RandomPartners]


class Notes(Logger):
    def __init__(self) -> None:
        self.steps: list[StepLog] = []
        self.epochs: list[EpochLog] = []

    def step(self, news: StepLog) -> None:
        self.steps.append(news)

    def epoch(self, news: EpochLog) -> None:
        self.epochs.append(news)

    @property
    def totals(self) -> list[float]:
        return [sum(news.training.values()) for news in self.epochs]


def context_for(folder: Path, dataset: Dataset, **changes: object) -> TrainContext:
    folder.mkdir(exist_ok=True)
    stop = changes.pop("stop", lambda: False)
    validator = changes.pop("validator", None)
    config = CONFIG.model_copy(update=changes)
    return TrainContext(
        config,
        dataset,
        folder,
        DistributedContext(),
        config.model_dump_json(),
        validator=validator,
        stop=stop,
    )


def network() -> RegistrationModel:
    torch.manual_seed(0)
    return NETWORK.build()


def nothing(_: RegistrationModel) -> ValidationScores:
    return ValidationScores({})


def train(folder: Path, dataset: Dataset, **changes: object) -> tuple[Notes, dict[str, Tensor]]:
    notes, model = Notes(), network()
    assert fit(model, context_for(folder, dataset, **changes), [notes]) == "finished"
    return notes, model.state_dict()


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.slow
def test_it_learns_and_the_best_weights_are_kept(
    tmp_path: Path, partners: Partners, judged: ListedPairs
) -> None:
    scored: list[float] = []

    def score(model: RegistrationModel) -> ValidationScores:
        assert not model.training
        scored.append(len(scored) + 0.5)
        return ValidationScores({"DSC": scored[-1]})

    notes, last = train(
        tmp_path / "out",
        partners(),
        validator=Validator(judged, score),
        epochs=14,
        learning_rate=1e-2,
    )
    assert notes.totals[-1] < notes.totals[0] - 0.02
    validation = [sum(news.validation.values()) for news in notes.epochs]
    assert validation[-1] < validation[0] - 0.02
    assert [news.scores["DSC"] for news in notes.epochs] == scored
    best = [news.best for news in notes.epochs]
    assert best == [loss < min([9.0, *validation[:n]]) for n, loss in enumerate(validation)]
    assert same(load_file(tmp_path / "out" / LAST), last)
    again = fit(network(), context_for(tmp_path / "out", partners(), epochs=14, learning_rate=1e-2))
    assert again == "finished"  # at once


@pytest.mark.slow
def test_it_overfits_one_pair(tmp_path: Path, partners: Partners) -> None:
    notes, _ = train(tmp_path / "out", partners(2), epochs=60, learning_rate=1e-2)
    assert notes.totals[-1] < notes.totals[0] - 0.1


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [1, 6, 8])
@pytest.mark.parametrize("ema", [None, 0.9])
def test_interrupted_and_resumed_it_ends_in_the_same_bits(
    tmp_path: Path, partners: Partners, judged: ListedPairs, stop_after: int, ema: float | None
) -> None:
    changes = {
        "epochs": 2,
        "ema": ema,
        "optimiser": AdamConfig(amsgrad=True),
        "validator": Validator(judged, nothing),
    }
    whole, weights = train(tmp_path / "whole", partners(), **changes)
    steps = iter(range(1, 100))
    cut = context_for(
        tmp_path / "cut", partners(), stop=lambda: next(steps) == stop_after, **changes
    )
    first = Notes()
    assert fit(network(), cut, [first]) == "stopped"
    assert len(first.steps) == stop_after
    torch.manual_seed(99)  # whatever the new process has drawn before
    second, resumed = train(tmp_path / "cut", partners(), **changes)
    assert same(resumed, weights)
    assert same(load_file(tmp_path / "cut" / LAST), load_file(tmp_path / "whole" / LAST))
    assert same(load_file(tmp_path / "cut" / BEST), load_file(tmp_path / "whole" / BEST))
    assert [*first.epochs, *second.epochs] == whole.epochs
    losses = [news.losses for news in [*first.steps, *second.steps]]
    assert losses == [news.losses for news in whole.steps]


def test_accumulated_batches_are_one_larger_batch(tmp_path: Path, partners: Partners) -> None:
    _, one = train(tmp_path / "one", partners(), batch=2)
    _, other = train(tmp_path / "other", partners(), accumulate=2)
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-3, atol=1e-4)


def test_a_gradient_is_clipped(tmp_path: Path, partners: Partners) -> None:
    sgd = {"optimiser": FAdamConfig(weight_decay=0.0), "epochs": 1}
    _, free = train(tmp_path / "free", partners(), **sgd)
    _, clipped = train(tmp_path / "clipped", partners(), clip_norm=1e-9, **sgd)
    before = network().state_dict()
    assert not same(free, before)
    moved = max(float((clipped[k] - before[k]).abs().max()) for k in before)
    assert moved < max(float((free[k] - before[k]).abs().max()) for k in before)


def test_the_mean_of_the_weights_lags_behind_them(tmp_path: Path, partners: Partners) -> None:
    _, last = train(tmp_path / "out", partners(), ema=0.9)
    mean, before = load_file(tmp_path / "out" / LAST), network().state_dict()
    name = "flow.weight"
    assert 0 < (mean[name] - before[name]).norm() < (last[name] - before[name]).norm()


def test_half_precision_of_the_network_changes_the_losses_a_little(
    tmp_path: Path, partners: Partners
) -> None:
    full, _ = train(tmp_path / "full", partners(), epochs=1)
    half, _ = train(tmp_path / "half", partners(), epochs=1, precision="bfloat16")
    assert half.totals != full.totals
    assert half.totals == pytest.approx(full.totals, abs=0.02)


def test_the_rate_falls_with_the_epochs(tmp_path: Path, partners: Partners) -> None:
    notes, _ = train(tmp_path / "out", partners(2), epochs=3)
    assert [news.learning_rate for news in notes.epochs] == [
        CONFIG.schedule.rate(CONFIG.learning_rate, epoch, 3) for epoch in range(3)
    ]


class Broken(Dataset):
    """Samples of NaN from one number on."""

    def __init__(self, inner: Dataset, first: int, last: int, *, size: int = 16) -> None:
        self._inner, self._bad, self._size = inner, range(first, last), size

    def __len__(self) -> int:
        return self._size

    def read(self, epoch: int, number: int) -> Sample:
        sample = self._inner.read(epoch, number % len(self._inner))

        def make(device: torch.device) -> ImagePair:
            case = sample(device)
            if number in self._bad:
                case.moving.fill_(float("nan"))
            return case

        return make


def test_a_step_that_is_not_finite_is_left_out(tmp_path: Path, partners: Partners) -> None:
    notes, weights = train(tmp_path / "out", Broken(partners(), 3, 5), epochs=1)
    assert [number for number, news in enumerate(notes.steps) if news.losses is None] == [3, 4]
    assert all(value.isfinite().all() for value in weights.values())


def test_many_of_them_in_a_row_end_the_training(tmp_path: Path, partners: Partners) -> None:
    with pytest.raises(TrainingError, match="epoch 1: 11 steps in a row had no finite gradient"):
        train(tmp_path / "out", Broken(partners(), 2, 16))


def test_an_epoch_without_a_finite_step_ends_the_training_and_keeps_the_weights_before(
    tmp_path: Path, partners: Partners
) -> None:
    class LaterBroken(Broken):
        def read(self, epoch: int, number: int) -> Sample:
            return super().read(epoch, number) if epoch else self._inner.read(epoch, number)

    message = (
        r"epoch 2: none of its 3 steps had a finite gradient; lower learning_rate, .*clip_norm"
    )
    _, first = train(tmp_path / "first", partners(3), epochs=1, schedule=ConstantConfig())
    for _ in range(2):  # resumed, it ends in the same line
        with pytest.raises(TrainingError, match=message) as caught:
            train(
                tmp_path / "out",
                LaterBroken(partners(3), 0, 3, size=3),
                epochs=3,
                schedule=ConstantConfig(),
            )
        assert "\n" not in str(caught.value)
        assert same(load_file(tmp_path / "out" / LAST), first)


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("ema", [None, 0.9])
def test_divergence_in_the_last_step_exports_nothing(
    tmp_path: Path, partners: Partners, judged: ListedPairs, validated: bool, ema: float | None
) -> None:
    changes = {"epochs": 1, "learning_rate": 1e20, "ema": ema}
    if validated:
        changes["validator"] = Validator(judged, nothing)
    with pytest.raises(TrainingError, match=r"epoch 1: .* not finite; lower learning_rate"):
        train(tmp_path / "out", partners(2), batch=2, **changes)
    assert not (tmp_path / "out" / LAST).exists()
    assert not (tmp_path / "out" / BEST).exists()


def _train_as_one_of_two(rank: int, folder: Path, rendezvous: str, brains: Path) -> None:
    """A training whose validation, which only the first process sees, is not finite."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    task = load_task(str(brains / "phantom.toml"))
    preprocessor = PairPreprocessor(task, GridRule(multiple=16), Cache(folder / f"cache-{rank}"))
    scans = scans_of_folder(brains / "imagesVal")
    dataset = RandomPartners(scans, preprocessor, seed=1, both_orders=False)
    pairs = ListedPairs(read_pairs(brains / "PHANTOM_dataset.json", brains)[:2], preprocessor)
    context = replace(
        context_for(folder, dataset, validator=Validator(Broken(pairs, 0, 2, size=2), nothing)),
        processes=DistributedContext(rank, 2),
    )
    with pytest.raises(TrainingError, match="epoch 1: its last weights give losses that are not"):
        fit(network(), context)
    distributed.destroy_process_group()


@pytest.mark.slow
def test_divergence_that_one_of_two_processes_sees_ends_both(tmp_path: Path, brains: Path) -> None:
    rendezvous = f"file://{tmp_path}/rendezvous"
    folder = tmp_path / "out"
    folder.mkdir()
    multiprocessing.spawn(_train_as_one_of_two, (folder, rendezvous, brains), nprocs=2)
    assert not (folder / LAST).exists()


@pytest.mark.slow
def test_an_image_that_is_lost_leaves_the_last_checkpoint(
    tmp_path: Path, partners: Partners
) -> None:
    class Lost(Broken):
        def read(self, epoch: int, number: int) -> Sample:
            if epoch == 1:
                raise ImageError("lost.nii.gz: cannot be read")
            return super().read(epoch, number)

    with pytest.raises(ImageError, match="lost"):
        train(tmp_path / "out", Lost(partners(), 0, 0))
    _, resumed = train(tmp_path / "out", Broken(partners(), 0, 0))
    _, whole = train(tmp_path / "whole", Broken(partners(), 0, 0))
    assert same(resumed, whole)


def test_a_damaged_checkpoint_says_how_to_go_on(tmp_path: Path, partners: Partners) -> None:
    _, whole = train(tmp_path / "out", partners())
    path = tmp_path / "out" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(TrainingError, match=f"damaged or cut off; rename {PREVIOUS}"):
        train(tmp_path / "out", partners())
    (tmp_path / "out" / PREVIOUS).rename(path)
    notes, again = train(tmp_path / "out", partners())
    assert len(notes.epochs) == 1
    assert same(again, whole)


def test_a_checkpoint_from_before_it_had_teachers_is_gone_on_from(
    tmp_path: Path, partners: Partners
) -> None:
    _, whole = train(tmp_path / "out", partners())
    path = tmp_path / "out" / PREVIOUS
    content = torch.load(path, weights_only=True)
    del content["guidance"], content["teachers"]
    torch.save(content, tmp_path / "out" / CHECKPOINT)
    notes, again = train(tmp_path / "out", partners())
    assert len(notes.epochs) == 1
    assert same(again, whole)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path, partners: Partners) -> None:
    train(tmp_path / "out", partners())
    with pytest.raises(TrainingError, match="of a training with other settings; give another"):
        train(tmp_path / "out", partners(), learning_rate=1e-5)


def test_too_few_samples_and_nothing_to_train(tmp_path: Path, partners: Partners) -> None:
    with pytest.raises(TrainingError, match="6 samples are too few for a step of 8"):
        train(tmp_path / "out", partners(), batch=4, accumulate=2)
    with pytest.raises(TrainingError, match="'identity' has no weights to train"):
        fit(
            IdentityConfig().build(),
            context_for(tmp_path / "other", partners(), model=IdentityConfig()),
        )


def test_batches_of_label_maps_need_names() -> None:
    text = CONFIG.model_dump() | {"batch": 2}
    text["objective"] |= {"label_weight": 1.0}
    with pytest.raises(ValueError, match=r"name data\.structures"):
        TrainConfig.model_validate(text)


def test_parts_of_a_summed_similarity_are_logged_apart(
    tmp_path: Path, partners: Partners, judged: ListedPairs
) -> None:
    terms = (Lncc(window=5), GradientCorrelation())
    weighted = tuple(
        WeightedSimilarity(weight=weight, term=term)
        for weight, term in zip((1.0, 0.5), terms, strict=True)
    )
    objective = TrainingObjective(similarity=SumOfSimilarities(parts=weighted))
    changes = {"objective": objective, "validator": Validator(judged, nothing)}
    notes, _ = train(tmp_path / "out", partners(), **changes)
    for news in notes.epochs:
        for losses, parts in (
            (news.training, news.training_parts),
            (news.validation, news.validation_parts),
        ):
            whole = parts["lncc"] + 0.5 * parts["gradient_correlation"]
            assert whole == pytest.approx(losses["similarity"], rel=1e-5)  # sums of float32
    assert notes.steps[0].parts.keys() == {"lncc", "gradient_correlation"}


def test_an_epoch_says_how_long_a_step_took_and_the_memory(
    tmp_path: Path, partners: Partners
) -> None:
    notes, _ = train(tmp_path / "out", partners())
    for number, news in enumerate(notes.epochs):
        steps = [step.seconds for step in notes.steps if step.epoch == number]
        assert news.seconds_per_step == pytest.approx(sum(steps) / len(steps))
        assert all(seconds > 0 for seconds in steps)
        assert news.peak_memory_gib > 0
        assert news.training_parts == {}


def rated(dices: list[float | None]) -> Callable[[RegistrationModel], ValidationScores]:
    """Scores that are known beforehand, one an epoch."""
    left = iter(dices)
    return lambda _: ValidationScores({}, dice=next(left))


def test_the_best_epoch_may_be_that_of_the_highest_dice(
    tmp_path: Path, partners: Partners, judged: ListedPairs
) -> None:
    changes = {
        "best_by": "dice",
        "epochs": 3,
        "validator": Validator(judged, rated([0.5, 0.7, 0.6])),
    }
    notes, _ = train(tmp_path / "out", partners(), **changes)
    assert [news.best for news in notes.epochs] == [True, True, False]


def test_dice_without_label_maps_cannot_be_the_judge(
    tmp_path: Path, partners: Partners, judged: ListedPairs
) -> None:
    validator = Validator(judged, rated([None, None]))
    with pytest.raises(TrainingError, match="the validation pairs have no label maps"):
        train(tmp_path / "out", partners(), best_by="dice", validator=validator)
