"""What guided steps make small, and who teaches when."""

import copy
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn

from models.descent.field import ResolutionLevel
from models.descent.loop import Convergence
from models.descent.objective import ImagePair, WeightedRegulariser
from models.descent.transform import NetworkTransform
from models.losses.diffusion import Diffusion
from models.losses.lncc import Lncc
from models.networks.base import RegistrationModel
from models.networks.identity import IdentityConfig
from models.optim.optimisers import SgdConfig
from models.spatial.parametrisation import compose
from models.spatial.warp import resize_field, warp
from models.training.config import TrainConfig
from models.training.dataset import generator
from models.training.guidance.cascade import Cascade, CascadeConfig, CascadeDescent
from models.training.guidance.config import AnyPseudoLabeller, GuidanceSchedule, GuidanceTerm
from models.training.guidance.guide import Guide, build_pseudo_labellers
from models.training.guidance.online_optimiser import OnlineDescent, OnlineOptimiserConfig
from models.training.guidance.pretrained_network import NetworkPseudoLabellerConfig
from models.training.guidance.pseudo_labeller import GuidanceInput, PseudoLabeller
from models.training.schedule import ConstantConfig, PolyConfig
from models.training.step import Objective
from models.types import Fields, Volumes
from tests.models.conftest import Golden
from tests.models.networks.small_networks import CONFIGS, awake, some_images
from tests.models.training.conftest import CONFIG, NETWORK

CPU = torch.device("cpu")


def level(**changes: object) -> ResolutionLevel:
    settings = {"shrink": 1, "control": 1, "steps": 10, "learning_rate": 0.1}
    return ResolutionLevel.model_validate(settings | changes)


def optimiser(weight: float = 1.0, **changes: object) -> OnlineOptimiserConfig:
    smooth = (WeightedRegulariser(weight=weight, term=Diffusion()),)
    descent = OnlineDescent(levels=(level(**changes),), regularisers=smooth)
    return OnlineOptimiserConfig(descent=descent)


def images(seed: int = 0) -> ImagePair:
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2, 1, 4, 4, 4, generator=random)
    fixed, moving = nn.functional.interpolate(coarse, size=(16, 16, 16), mode="trilinear")[:, None]
    return ImagePair(fixed, moving)


def some_field(seed: int = 3, batch: int = 1) -> Tensor:
    coarse = torch.randn(batch, 3, 3, 3, 3, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, size=(16, 16, 16), mode="trilinear")


class Says(RegistrationModel):
    """A network whose weights are its prediction."""

    def __init__(self, field: Fields) -> None:
        super().__init__()
        self.field = nn.Parameter(field.clone())

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:  # noqa: ARG002 - it knows already
        return self.field


def guided(
    term: GuidanceTerm | tuple[GuidanceTerm, ...], case: ImagePair, field: Fields, **changes: object
) -> tuple[dict[str, Tensor], Says]:
    """Losses of a first step by name, and the network that made them."""
    terms = term if isinstance(term, tuple) else (term,)
    config = CONFIG.model_copy(update={"guidance": terms, "epochs": 500, **changes})
    guide, model = Guide(config, build_pseudo_labellers(config, CPU)), Says(field)
    guide.start_step(0, 0)
    losses = Objective(model, config, guide)(case, torch.Generator())
    return dict(losses), model


def answer(teacher: PseudoLabeller, field: Fields, case: ImagePair, epoch: int = 0) -> Fields:
    return teacher(GuidanceInput(case, field, epoch, 500, torch.Generator()))


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "teacher"),
    [
        ("steps10_lr0.1", OnlineOptimiserConfig()),
        ("steps5_default", optimiser(steps=5)),
        ("steps10_lr0.05_reg0.5", optimiser(0.5, learning_rate=0.05)),
    ],
)
def test_the_loss_is_that_of_the_published_code(
    golden: Golden, name: str, teacher: OnlineOptimiserConfig
) -> None:
    vectors = golden("ofg")
    case, field = ImagePair(vectors["in.y"], vectors["in.x"]), vectors["in.flow"]
    losses, model = guided(GuidanceTerm(teacher=teacher, regularisers=()), case, field)
    torch.testing.assert_close(losses["guidance"], vectors[f"{name}.loss"], rtol=1e-4, atol=0)
    losses["guidance"].backward()
    scale = field.numel() / 2  # voxels
    unbatch = ((model.field.grad - vectors[f"{name}.grad_flow"]) * scale).abs().flatten()
    # Where a gradient almost vanishes, Adam makes a step of full length out of rounding.
    assert unbatch.quantile(0.95) < 1e-4
    assert unbatch.square().mean().sqrt() < 3e-4
    found = answer(teacher.build(CPU), field, case)
    assert (found - vectors[f"{name}.flow_opt"]).square().mean().sqrt() < 3e-4


def test_the_loss_is_not_zero_and_its_gradient_leads_to_the_pseudo_truth() -> None:
    """The published code once compared the optimised field with itself."""
    case, field = images(), some_field()
    losses, model = guided(GuidanceTerm(regularisers=()), case, field)
    said = NetworkTransform(model, case.fixed, case.moving).displacement.detach()
    truth = answer(OnlineOptimiserConfig().build(CPU), said, case)
    assert torch.equal(model.field, field)
    assert (truth - field).abs().mean() > 0.1
    assert losses["guidance"] > 0.01
    losses["guidance"].backward()
    expected = 2 * (said - truth) / field.numel()
    torch.testing.assert_close(model.field.grad, expected, rtol=1e-4, atol=1e-9)


def test_a_guided_step_counts_guidance_and_a_little_smoothness() -> None:
    case, field = images(), some_field()
    losses, _ = guided(GuidanceTerm(weight=3.0), case, field)
    single, _ = guided(GuidanceTerm(), case, field)
    assert losses["guidance"].item() == pytest.approx(3 * single["guidance"].item(), rel=1e-5)
    smooth = Diffusion()(field).item()
    assert single["diffusion"].item() == pytest.approx(0.02 * smooth, rel=1e-4)
    assert single["similarity"] == 0


def test_the_images_may_count_beside_the_guidance() -> None:
    case, field = images(), some_field()
    losses, _ = guided(GuidanceTerm(similarity=0.25), case, field)
    expected = Lncc(window=5).bind(case.fixed)(warp(case.moving, field))
    assert losses["similarity"].item() == pytest.approx(0.25 * expected.item(), abs=1e-5)
    labelled = CONFIG.objective.model_copy(update={"label_weight": 2.0})
    maps = (case.fixed > 0.5).float(), (case.moving > 0.5).float()
    case = ImagePair(case.fixed, case.moving, maps)
    whole, _ = guided((), case, field, objective=labelled)
    part, _ = guided(GuidanceTerm(similarity=0.25), case, field, objective=labelled)
    assert 0 < part["labels"].item() == pytest.approx(0.25 * whole["labels"].item())


def test_a_pair_is_taught_in_a_batch_what_it_is_taught_alone() -> None:
    cases, fields = [images(seed) for seed in (0, 1)], some_field(batch=2)
    pair = ImagePair(*(torch.cat([getattr(c, n) for c in cases]) for n in ("fixed", "moving")))
    term = GuidanceTerm(teacher=optimiser(steps=3), regularisers=())
    together = guided(term, pair, fields)[0]["guidance"].item()
    alone = [
        guided(term, case, fields[n : n + 1])[0]["guidance"].item() for n, case in enumerate(cases)
    ]
    assert together == pytest.approx(sum(alone) / 2, rel=1e-5)
    assert alone[0] != pytest.approx(alone[1], rel=1e-3)


def test_the_field_after_all_steps_is_taught_even_where_it_was_better_before() -> None:
    descent = OnlineDescent(levels=(level(learning_rate=4.0, steps=1),))
    case, field = images(), some_field()
    last, best = (
        answer(OnlineOptimiserConfig(descent=rule).build(CPU), field, case)
        for rule in (descent, descent.model_copy(update={"keep": "best"}))
    )
    assert torch.equal(best, field)
    assert (last - field).abs().max() == pytest.approx(4.0, rel=1e-3)


@pytest.mark.parametrize("epoch", [0, 250, 499])
def test_the_rate_of_the_optimiser_falls_with_that_of_the_training(epoch: int) -> None:
    case, field = images(), some_field()
    found = answer(OnlineOptimiserConfig().build(CPU), field, case, epoch)
    rate = PolyConfig().rate(0.1, epoch, 500)
    steady = optimiser(learning_rate=rate).model_copy(update={"schedule": ConstantConfig()})
    assert torch.equal(found, answer(steady.build(CPU), field, case, epoch))


def energy(field: Fields, case: ImagePair) -> float:
    similarity = Lncc().bind(case.fixed)(warp(case.moving, field))
    return float(similarity + Diffusion()(field))


def trained(path: Path, seed: int = 0) -> Path:
    """Weights of the small network that move something."""
    torch.manual_seed(seed)
    save_file(awake(NETWORK).state_dict(), path)
    return path


TEACHERS: dict[str, dict[str, object]] = {
    "optimiser": {"name": "optimiser"},
    "coarse": {"name": "optimiser", "descent": {"levels": [level(shrink=2, control=2)]}},
    "down-sampled": {"name": "optimiser", "down_sampled": 2},
    "self-training": {"name": "network"},
    "optimised self-training": {
        "name": "network",
        "refined": {
            "descent": {
                "convergence": Convergence(window=5, share=0.05),
                "levels": [level(steps=200)],
            },
            "schedule": {"name": "constant"},
        },
    },
    "cascaded": {
        "name": "cascade",
        "learns": "each_pair_anew",
        "descent": {"steps": 10, "learning_rate": 0.01},
    },
}


def teacher_named(name: str, tmp_path: Path) -> AnyPseudoLabeller:
    settings = dict(TEACHERS[name])
    if settings["name"] in {"network", "cascade"}:
        learnt = "self-training" in name
        weights = trained(tmp_path / "weights.safetensors") if learnt else None
        settings["model"] = NETWORK.model_copy(update={"weights": weights})
    return GuidanceTerm.model_validate({"teacher": settings}).teacher


teachers = pytest.mark.parametrize("name", TEACHERS)


@pytest.mark.slow
@teachers
def test_a_teacher_says_the_same_whatever_it_was_asked_before(name: str, tmp_path: Path) -> None:
    teacher = teacher_named(name, tmp_path).build(CPU)
    case, field = images(), some_field()
    before = field.clone()
    first = answer(teacher, field, case)
    answer(teacher, some_field(5), images(7))
    assert torch.equal(answer(teacher, field, case), first)
    assert torch.equal(field, before)
    assert first.shape == field.shape
    assert not first.requires_grad
    assert not torch.equal(first, field)


@pytest.mark.parametrize("name", [name for name in TEACHERS if name != "self-training"])
def test_what_is_optimised_is_better_than_the_prediction(name: str, tmp_path: Path) -> None:
    case, field = images(), some_field()
    found = answer(teacher_named(name, tmp_path).build(CPU), field, case)
    assert energy(found, case) < energy(field, case) - 0.05


def test_self_training_teaches_what_the_other_network_says(tmp_path: Path) -> None:
    teacher = teacher_named("self-training", tmp_path).build(CPU)
    case, other = images(), awake(NETWORK)
    with torch.no_grad():
        expected = other(case.fixed, case.moving)
    assert torch.equal(answer(teacher, some_field(), case), expected)


def test_optimised_self_training_starts_from_the_other_network(tmp_path: Path) -> None:
    case = images()
    plain, optimised = (
        answer(teacher_named(name, tmp_path).build(CPU), some_field(), case)
        for name in ("self-training", "optimised self-training")
    )
    assert energy(optimised, case) < energy(plain, case) - 0.1
    zero = NetworkPseudoLabellerConfig(model=IdentityConfig(), refined=OnlineOptimiserConfig())
    from_zero = answer(zero.build(CPU), some_field(), case)
    refined = answer(OnlineOptimiserConfig().build(CPU), torch.zeros_like(plain), case)
    assert torch.equal(from_zero, refined)


def test_a_down_sampled_field_has_lost_the_detail_of_the_prediction() -> None:
    """A wave of two voxels is gone, and half of one of four; what is smooth is kept."""
    case, places = images(), torch.arange(16.0)
    still = optimiser(learning_rate=1e-9).model_copy(update={"down_sampled": 2})

    def taught(wave: Tensor) -> Tensor:
        field = torch.zeros(1, 3, 16, 16, 16)
        field[:, 0] = wave
        return answer(still.build(CPU), field, case)[0, 0, 4:12, 8, 8]

    def along_x(values: Tensor) -> Tensor:
        return values.view(1, 16, 1, 1)

    assert taught(along_x((-1) ** places)).abs().max() < 1e-6
    assert taught(torch.full((1, 16, 16, 16), 0.7)).sub(0.7).abs().max() < 1e-6
    pairs = along_x(torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(4))  # means of two are kept
    assert taught(pairs).abs().max() == pytest.approx(0.5, abs=1e-6)  # then interpolated


def test_a_down_sampled_optimiser_works_on_means_over_cubes() -> None:
    """As if images and field had been brought to the coarse grid before."""
    case, field = images(), some_field()
    coarse = resize_field(field, (8, 8, 8))
    plain = answer(OnlineOptimiserConfig().build(CPU), coarse, case.shrunk(2))
    sampled = OnlineOptimiserConfig(down_sampled=2)
    found = answer(sampled.build(CPU), field, case)
    assert torch.equal(found, resize_field(plain, (16, 16, 16)))
    assert sampled.grid.problem((15, 16, 16)) is not None
    assert sampled.grid.problem((16, 16, 16)) is None


def test_a_coarse_optimiser_adds_something_smooth_to_the_prediction() -> None:
    case, field = images(), some_field() + 0.1 * torch.randn(1, 3, 16, 16, 16)
    coarse, fine = (
        answer(optimiser(shrink=n, control=n).build(CPU), field, case) - field for n in (4, 1)
    )

    def roughness(change: Fields) -> float:
        second = change.diff(n=2, dim=2)
        return float(second.square().mean() / change.square().mean())

    assert coarse.abs().max() > 0.1
    assert roughness(coarse) < 0.3 * roughness(fine)


def test_each_network_of_a_cascade_sees_what_the_one_before_left() -> None:
    case, networks = images(), [awake(NETWORK), awake(NETWORK)]
    with torch.no_grad():
        first = networks[0](case.fixed, case.moving)
        second = networks[1](case.fixed, warp(case.moving, first))
        found = Cascade(networks)(case.fixed, case.moving)
    assert torch.equal(found, compose(first, second))


def test_a_cascade_changes_what_the_prediction_leaves() -> None:
    config = CascadeConfig(model=NETWORK, descent=CascadeDescent(learning_rate=1e-9))
    case, field = images(), some_field()
    found = answer(config.build(CPU), field, case)
    torch.testing.assert_close(found, field, atol=1e-2, rtol=0)


def cascade(learns: str, rate: float = 1e-3, **changes: object) -> PseudoLabeller:
    torch.manual_seed(0)
    descent = CascadeDescent(learning_rate=rate)
    settings = {"model": NETWORK, "descent": descent, "learns": learns}
    return CascadeConfig.model_validate(settings | changes).build(CPU)


def test_a_cascade_over_pairs_learns_and_one_anew_does_not() -> None:
    """Five steps move an untrained network by next to nothing, those of twenty pairs do."""
    field = torch.zeros(1, 3, 16, 16, 16)
    taught = {
        learns: [answer(cascade_, field, images(n)).abs().mean().item() for n in range(20)]
        for learns in ("over_pairs", "each_pair_anew")
        for cascade_ in [cascade(learns)]
    }
    assert taught["over_pairs"][0] == taught["each_pair_anew"][0]
    assert taught["over_pairs"][-1] > 5 * taught["each_pair_anew"][-1]  # 9.4 times


def test_a_cascade_goes_on_from_what_it_had_learnt() -> None:
    first, second = cascade("over_pairs"), cascade("over_pairs")
    field = some_field()
    for number in range(3):
        answer(first, field, images(number))
    saved = copy.deepcopy(first.state)
    expected = [answer(first, field, images(number)) for number in (3, 4)]
    second.restore(saved)
    for number, found in zip((3, 4), expected, strict=True):
        assert torch.equal(answer(second, field, images(number)), found)
    assert not torch.equal(answer(cascade("over_pairs"), field, images(3)), expected[0])
    assert cascade("each_pair_anew").state == {}


@pytest.mark.parametrize("learns", ["over_pairs", "each_pair_anew"])
def test_the_published_cascade_teaches_the_field_of_its_last_network_alone(learns: str) -> None:
    """Of one network, that is what is added; of two, the second begins where the first ends."""
    case, field = images(), some_field()
    composed, last = (
        answer(cascade(learns, networks=1, output=output), field, case)
        for output in ("composed", "last")
    )
    torch.testing.assert_close(compose(field, last), composed)
    two = cascade(learns, output="last")
    found = answer(two, field, case)
    assert found.abs().max() < 0.1 < field.abs().max()  # without the prediction


def test_teachers_are_drawn_alike_whenever_a_training_is_taken_up() -> None:
    config = CONFIG.model_copy(
        update={"guidance": (GuidanceTerm(teacher=CascadeConfig(model=NETWORK)),)}
    )
    case, field = images(), some_field()
    state = torch.get_rng_state()
    (first,) = build_pseudo_labellers(config, CPU)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(77)
    (second,) = build_pseudo_labellers(config, CPU)
    assert torch.equal(answer(first, field, case), answer(second, field, case))


NETWORKS = [config for config in CONFIGS if config.name != "identity"]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda config: config.name)
def test_every_network_can_be_guided(network: object) -> None:
    term = GuidanceTerm(teacher=optimiser(steps=2))
    config = CONFIG.model_copy(update={"guidance": (term,), "model": network})
    guide, model = Guide(config, build_pseudo_labellers(config, CPU)), awake(network).train()
    guide.start_step(0, 0)
    losses = Objective(model, config, guide)(ImagePair(*some_images(model)), torch.Generator())
    assert 1e-4 < losses["guidance"] < 0.1  # at most 0.2 voxels in each direction
    sum(losses.values()).backward()
    for name, weight in model.named_parameters():
        assert name.startswith(model.unused) or weight.grad is not None, name
    assert all(w.grad.isfinite().all() for w in model.parameters() if w.grad is not None)


@pytest.mark.parametrize(
    ("when", "epochs"),
    [
        (GuidanceSchedule(), range(12)),
        (GuidanceSchedule(until=3), [0, 1, 2]),
        (GuidanceSchedule(after=10), [10, 11]),
        (GuidanceSchedule(every=5), [0, 5, 10]),
        (GuidanceSchedule(after=1, until=9, every=3), [1, 4, 7]),
    ],
)
def test_it_is_taught_in_some_epochs(when: GuidanceSchedule, epochs: list[int]) -> None:
    assert [epoch for epoch in range(12) if when.applies(epoch, 0.999)] == list(epochs)


def turns(terms: tuple[GuidanceTerm, ...], epoch: int = 0, seed: int = 0) -> list[float | None]:
    """The weight of the guidance in each of 200 steps."""
    config = CONFIG.model_copy(update={"guidance": terms, "seed": seed})
    guide, found = Guide(config, build_pseudo_labellers(config, CPU)), []
    for step in range(200):
        guide.start_step(epoch, step)
        found.append(guide._turn and guide._turn[0].weight)
    return found


def test_below_the_threshold_it_is_taught_and_else_the_images_count() -> None:
    term = GuidanceTerm(when=GuidanceSchedule(threshold=0.3))
    found = turns((term,))
    assert 40 < sum(weight is not None for weight in found) < 80
    assert found == turns((term,))
    assert len({tuple(turns((term,), epoch, seed)) for epoch in (0, 1) for seed in (0, 1)}) == 4


def test_the_first_whose_turn_it_is_teaches() -> None:
    first = GuidanceTerm(weight=1.0, when=GuidanceSchedule(until=10))
    second = GuidanceTerm(weight=2.0, when=GuidanceSchedule(threshold=0.5))
    third = GuidanceTerm(weight=3.0, when=GuidanceSchedule(after=20, threshold=0.5))
    terms = (first, second, third)
    assert set(turns(terms, epoch=9)) == {1.0}
    assert set(turns(terms, epoch=10)) == {2.0, None}
    late = turns(terms, epoch=20)
    assert set(late) == {2.0, 3.0, None}
    assert 30 < late.count(3.0) < 70


def test_a_step_without_a_lesson_is_the_objective() -> None:
    case, field = images(), some_field()
    losses, model = guided(GuidanceTerm(when=GuidanceSchedule(after=1)), case, field)
    plain, _ = guided((), case, field)
    assert losses["guidance"] == 0
    assert {name: losses[name] for name in plain} == plain
    sum(losses.values()).backward()
    assert model.field.grad.abs().max() > 0


def test_every_loss_of_a_training_has_one_name() -> None:
    bending = {"weight": 0.1, "term": {"name": "bending"}}
    terms = (GuidanceTerm(), GuidanceTerm.model_validate({"regularisers": [bending]}))
    config = CONFIG.model_copy(update={"guidance": terms})
    assert config.losses == ("similarity", "diffusion", "guidance", "bending")
    assert CONFIG.losses == ("similarity", "diffusion")


@pytest.mark.parametrize(
    ("guidance", "message"),
    [
        ({"weight": 0}, "greater than 0"),
        ({"when": {"threshold": 1.5}}, "less than or equal to 1"),
        ({"when": {"after": 10, "until": 10}}, "until 10 is not later than after 10"),
        ({"when": {"every": 0}}, "greater than 0"),
        ({"teacher": {"name": "professor"}}, "'optimiser', 'network', 'cascade'"),
        ({"teacher": {"name": "network"}}, "teaches nothing: give model.weights or epochs"),
        ({"teacher": {"name": "cascade", "networks": 0}}, "greater than 0"),
        ({"teacher": {"name": "cascade", "model": {"name": "identity"}}}, "no weights"),
        ({"teacher": {"descent": {"label_weight": 1}, "name": "optimiser"}}, "looks at label maps"),
        ({"regularisers": [{"weight": 1, "term": {"name": "bending"}}] * 2}, "named twice"),
    ],
)
def test_nonsense_is_refused(guidance: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainConfig.model_validate(CONFIG.model_dump() | {"guidance": [guidance]})


def test_a_teacher_of_unigradicon_works_on_its_grid() -> None:
    settings = CONFIG.model_dump() | {"model": {"name": "unigradicon"}}
    coarse = optimiser(shrink=2, control=2).model_dump()
    with pytest.raises(ValidationError, match=r"a grid of its own: axes must be multiples of 2"):
        TrainConfig.model_validate(settings | {"guidance": [{"teacher": coarse}]})
    TrainConfig.model_validate(settings | {"guidance": [{}]})


def test_another_optimiser_may_descend() -> None:
    descent = OnlineDescent(optimiser=SgdConfig(), levels=(level(learning_rate=100.0),))
    case, field = images(), some_field()
    found = answer(OnlineOptimiserConfig(descent=descent).build(CPU), field, case)
    assert energy(found, case) < energy(field, case)


def test_what_is_random_in_a_step_is_not_what_its_lesson_is_drawn_from() -> None:
    term = GuidanceTerm(when=GuidanceSchedule(threshold=0.5))
    config = CONFIG.model_copy(update={"guidance": (term,)})
    taught = [weight is not None for weight in turns((term,))]
    same = [
        (float(torch.rand((), generator=generator(config.seed, 0, step))) < 0.5) == taught[step]
        for step in range(200)
    ]
    assert 60 < sum(same) < 140
