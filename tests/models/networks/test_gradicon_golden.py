"""uniGradICON against outputs, losses and gradients of the published code."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from models.descent.objective import ImagePair, WeightedRegulariser
from models.descent.transform import NetworkTransform
from models.descent.weights import WeightOptimisationConfig
from models.losses.base import CandidateTransform
from models.losses.consistency import GradIcon
from models.losses.lncc_gaussian import LnccGaussian
from models.networks.gradicon.network import UniGradIcon, UniGradIconConfig
from models.networks.gradicon.preprocess import normalised, resized
from models.networks.gradicon.to_voxels import displacement
from models.networks.gradicon.unet import UNetSizes
from models.optim.combine import (
    Combined,
    ProjectOne,
    SumGradients,
    gradients_apart,
    inner_products,
    project_one,
    weighted_sum,
)
from models.optim.combine import Losses as Objectives
from models.optim.optimisers import AdamConfig, AdamWConfig
from models.spatial.coordinate_maps import CoordinateMap, identity
from tests.models.conftest import Described, Golden
from tests.models.networks.recipes import made_up_volume, made_up_weights

pytestmark = pytest.mark.golden

MAP_ATOL = 2e-6
"""In coordinates, 1e-4 voxels of 38; 2e-7 was seen."""
VOXEL_ATOL = 2e-5
"""In voxels or intensities; 5e-6 was seen."""
SIMILARITY_ATOL = 1e-6
REGULARISER_ATOL = 2e-5
"""Differences over a thousandth of the image: single precision departs from double by 1e-5."""
GRADIENT_RTOL = 1e-3
"""Of the largest entry; 3e-4 was seen, and by as much the vectors depart from double precision."""


class Losses(NamedTuple):
    """What the published loss reports, and the maps that it is of."""

    similarity: Tensor
    regulariser: Tensor
    forward: CoordinateMap
    inverse: CoordinateMap

    @property
    def total(self) -> Tensor:
        return self.similarity + 1.5 * self.regulariser


def scattered(noise: Tensor) -> Tensor:
    """The places that the published loss looked at."""
    return (identity(noise[:, :1]).coordinates + 2 * noise / noise.shape[-1])[..., ::2, ::2, ::2]


def losses_of(model: UniGradIcon, a: Tensor, b: Tensor, noise: Tensor) -> Losses:
    transform = NetworkTransform(model, fixed=b, moving=a)
    forward, inverse = (LnccGaussian().bind(image) for image in (b, a))
    similarity = forward(transform.warp(a)) + inverse(transform.warp_inverse(b))
    regulariser = GradIcon()(transform.forward, transform.inverse, scattered(noise))
    return Losses(similarity, regulariser, transform.forward, transform.inverse)


def flips(phi: CoordinateMap, like: Tensor) -> int:
    """Cells whose backward differences at the upper corner are left-handed."""
    places = phi(identity(like)).coordinates
    corner = places[..., 1:, 1:, 1:]
    along_x = corner - places[..., :-1, 1:, 1:]
    along_y = corner - places[..., 1:, :-1, 1:]
    along_z = corner - places[..., 1:, 1:, :-1]
    volume = (torch.linalg.cross(along_x, along_y, dim=1) * along_z).sum(1)
    return int((volume < 0).sum())


def assert_losses_agree(losses: Losses, like: Tensor, stored: dict[str, Tensor]) -> None:
    """`stored` as the published code reports them."""
    rest = identity(like).coordinates
    magnitude = (rest - losses.forward(identity(like)).coordinates).square().mean()
    expected = {name.split(".")[-1]: value.item() for name, value in stored.items()}
    assert losses.similarity.item() == pytest.approx(
        expected["similarity_loss"], abs=SIMILARITY_ATOL
    )
    assert losses.regulariser.item() == pytest.approx(
        expected["inverse_consistency_loss"], abs=REGULARISER_ATOL
    )
    assert losses.total.item() == pytest.approx(expected["all_loss"], abs=2 * REGULARISER_ATOL)
    assert magnitude.item() == pytest.approx(expected["transform_magnitude"], rel=1e-4)
    assert flips(losses.inverse, like) == expected["flips"]


def starting_with(vectors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in vectors.items()
        if name.startswith(prefix)
    }


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.fixture
def vectors(golden: Golden) -> dict[str, Tensor]:
    return golden("unigradicon_small")


@pytest.fixture
def trained(golden: Golden) -> dict[str, Tensor]:
    return golden("unigradicon_small_train")


@pytest.fixture
def small(described: Described, vectors: dict[str, Tensor]) -> UniGradIcon:
    (_, *down), up = described("unigradicon_small")["channels"]
    sizes = UNetSizes(down=tuple(down), up=tuple(up))
    x, y, z = vectors["in.A"].shape[:1:-1]
    model = UniGradIconConfig(shape=(x, y, z), sizes=sizes).build()
    model.load_state_dict(starting_with(vectors, "sd."))
    return model.eval()


def inputs(vectors: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    return vectors["in.A"], vectors["in.B"], vectors["in.noise"]


def test_the_networks_own_grid_is_the_published_one(described: Described) -> None:
    published = described("keys_unigradicon_regis_net")["input_shape"]
    assert [1, 1, *UniGradIconConfig().shape] == published


def test_the_maps_are_the_published_ones(small: UniGradIcon, vectors: dict[str, Tensor]) -> None:
    a, b, _ = inputs(vectors)
    rest = identity(a)
    with torch.inference_mode():
        forward, inverse = small.phi(a, b), small.phi(b, a)
        found = {
            "phi_AB": forward(rest).coordinates,
            "phi_BA": inverse(rest).coordinates,
            "phi_AB_at_24x28x20": forward(identity(a, (24, 28, 20))).coordinates,
        }
        transform = NetworkTransform(small, fixed=b, moving=a)
        moved = {"warped_A": transform.warp(a), "warped_B": transform.warp_inverse(b)}
    for name, value in found.items():
        torch.testing.assert_close(value, vectors[f"out.{name}"], atol=MAP_ATOL, rtol=0)
    for name, value in moved.items():
        torch.testing.assert_close(value, vectors[f"out.{name}"], atol=VOXEL_ATOL, rtol=0)
    assert flips(forward, torch.zeros(1, 1, 24, 28, 20)) == vectors["out.flips_pct_at_24x28x20"]


def test_the_organisers_displacement_is_what_their_script_writes(
    small: UniGradIcon, vectors: dict[str, Tensor]
) -> None:
    a, b, _ = inputs(vectors)
    x, y, z = a.shape[:1:-1]
    with torch.inference_mode():
        field = displacement(small.phi(a, b), torch.zeros(1, 1, 20, 28, 24), (x, y, z), "lumir")
    expected = vectors["out.lumir_disp_xyz"].movedim(-1, 0)[None]
    torch.testing.assert_close(field, expected, atol=VOXEL_ATOL, rtol=0)


def test_the_losses_are_the_published_ones(small: UniGradIcon, vectors: dict[str, Tensor]) -> None:
    with torch.inference_mode():
        losses = losses_of(small, *inputs(vectors))
        assert_losses_agree(losses, vectors["in.A"], starting_with(vectors, "out.loss."))


def test_training_goes_the_published_way(
    small: UniGradIcon, vectors: dict[str, Tensor], trained: dict[str, Tensor]
) -> None:
    """But for running statistics: what is stored as those after training are those before it."""
    losses = losses_of(small.train(), *inputs(vectors))
    losses.total.backward()
    assert int(small.netPsi.net.batchNorms[0].num_batches_tracked) == 2
    with torch.no_grad():
        assert_losses_agree(losses, vectors["in.A"], starting_with(trained, "train.loss."))
    gradients = {name: value.grad for name, value in small.named_parameters()}
    for name, expected in starting_with(trained, "train.grad.").items():
        assert relative(gradients[name], expected) < GRADIENT_RTOL, name
    for name, stored in starting_with(trained, "train.after.").items():
        assert torch.equal(stored, vectors[f"sd.{name}"])


def test_the_terms_pull_where_the_published_ones_do(
    small: UniGradIcon, vectors: dict[str, Tensor], trained: dict[str, Tensor]
) -> None:
    losses = losses_of(small, *inputs(vectors))
    names, parameters = zip(*small.named_parameters(), strict=True)
    flat = {}
    for term, loss in (("sim", losses.similarity), ("reg", losses.regulariser)):
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
        flat[term] = torch.cat([gradient.flatten() for gradient in gradients])
        assert flat[term].norm().item() == pytest.approx(
            trained[f"evalgrad.{term}_norm"].item(), rel=GRADIENT_RTOL
        )
        by_name = dict(zip(names, gradients, strict=True))
        for name, expected in starting_with(trained, f"evalgrad.{term}.").items():
            assert relative(by_name[name], expected) < GRADIENT_RTOL, name
    dot = (flat["sim"] @ flat["reg"]).item()
    assert dot == pytest.approx(trained["evalgrad.dot"].item(), rel=GRADIENT_RTOL)


@pytest.mark.slow
def test_three_steps_of_adam_lead_where_the_published_ones_lead(
    small: UniGradIcon, vectors: dict[str, Tensor], trained: dict[str, Tensor]
) -> None:
    optimiser = torch.optim.Adam(small.parameters(), lr=2e-5)
    course = []
    for _ in range(3):
        loss = losses_of(small, *inputs(vectors)).total
        course.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        losses = losses_of(small, *inputs(vectors))
        places = losses.forward(identity(vectors["in.A"])).coordinates[..., ::2, ::2, ::2]
    course.append(losses.total.item())
    assert course == pytest.approx(
        trained["io.losses_adam_2e-5_eval"].tolist(), abs=2 * REGULARISER_ATOL
    )
    expected = trained["io.phi_AB_after_sub2"]
    torch.testing.assert_close(places, expected, atol=MAP_ATOL, rtol=0)


class AtGivenPlaces(GradIcon):
    """As the vectors were made: the same noise at every step."""

    noise: list

    def penalty(self, transform: CandidateTransform, random: torch.Generator) -> Tensor:  # noqa: ARG002
        return self(transform.forward, transform.inverse, scattered(torch.tensor(self.noise)))


class ProjectAlways(ProjectOne):
    """The same objective at every step."""

    order: tuple[int, int]

    def __call__(
        self,
        losses: Objectives,
        parameters: Sequence[Tensor],
        generator: torch.Generator,  # noqa: ARG002 - nothing is drawn
    ) -> Combined:
        gradients = gradients_apart(losses, parameters)
        gram = inner_products(gradients)
        weights = project_one(gram, self.order)
        # The vectors log the inner product and both norms in place of cosines.
        logged = {("gram", "01"): gram[0, 1], ("norm", "0"): gram[0, 0].sqrt()}
        logged[("norm", "1")] = gram[1, 1].sqrt()
        entries = {pair: float(value) for pair, value in logged.items()}
        return Combined(weighted_sum(gradients, weights), entries)


COMBINATIONS = {
    "vanilla": SumGradients(),
    "project_sim": ProjectAlways(order=(0, 1)),
    "project_reg": ProjectAlways(order=(1, 0)),
}
OPTIMISERS = {
    "adam_amsgrad": AdamConfig(amsgrad=True, weight_decay=1e-3),
    "adamw_amsgrad": AdamWConfig(amsgrad=True, weight_decay=1e-3),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        "vanilla.adam_amsgrad",
        *(f"{way}.{kind}" for way in ("project_sim", "project_reg") for kind in OPTIMISERS),
    ],
)
def test_instance_optimisation_with_gradient_projection_goes_the_way_of_the_formulas(
    case: str,
    golden: Golden,
    small: UniGradIcon,
    vectors: dict[str, Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b, noise = inputs(vectors)
    combine, optimiser = case.split(".")
    config = WeightOptimisationConfig(
        regularisers=(WeightedRegulariser(weight=1.5, term=AtGivenPlaces(noise=noise.tolist())),),
        direction="both_ways",
        combine=COMBINATIONS[combine],
        optimiser=OPTIMISERS[optimiser],
        steps=5,
        learning_rate=2e-5,
    )
    monkeypatch.setattr(small, "prepared", lambda image: image)  # they are, in the vectors
    places = lambda fixed, moving: small.phi(moving, fixed)(identity(fixed)).coordinates  # noqa: E731
    monkeypatch.setattr(small, "forward", places)
    refined = config.build(small)(ImagePair(fixed=b, moving=a))
    (descent,) = refined.history
    expected = golden("unigradicon_io_gp")
    log = expected[f"{case}.log"]
    assert descent.best == 5
    values = [list(losses.values()) for losses in descent.losses]
    found = torch.tensor(values, dtype=torch.float64) / torch.tensor([1.0, 1.5])
    torch.testing.assert_close(found[:, 0], log[:, 0], rtol=0, atol=1e-5)
    torch.testing.assert_close(found[:, 1], log[:, 1], rtol=0, atol=1e-4)
    if descent.cosines:
        cosines = [list(step.values()) for step in descent.cosines]
        products = torch.tensor(cosines, dtype=torch.float64)
        torch.testing.assert_close(products, log[:5, 2:], rtol=5e-3, atol=0)
    phi = expected[f"{case}.phi_AB_sub3"]
    torch.testing.assert_close(refined.field[..., ::3, ::3, ::3], phi, rtol=0, atol=2e-5)


@pytest.mark.slow
def test_at_full_width_the_maps_are_the_published_ones(
    golden: Golden, described: Described, threads: Callable[[int], None]
) -> None:
    threads(os.cpu_count() or 1)
    vectors, about = golden("unigradicon_full"), described("unigradicon_full")
    model = UniGradIconConfig(shape=(68, 72, 65)).build().eval()
    model.load_state_dict(
        made_up_weights(model.state_dict(), about["head_std"], gain=about["gain"])
    )
    a, b = (made_up_volume((65, 72, 68), seed) for seed in (23, 24))
    torch.testing.assert_close(a[..., ::4, ::4, ::4], vectors["in.A_sub4"], atol=1e-6, rtol=0)
    noise = np.random.RandomState(78).standard_normal((1, 3, 65, 72, 68))
    with torch.inference_mode():
        losses = losses_of(model, a, b, torch.from_numpy(noise).float())
        forward, inverse = (
            phi(identity(a)).coordinates for phi in (losses.forward, losses.inverse)
        )
        assert_losses_agree(losses, a, starting_with(vectors, "out.loss."))
    forward, inverse = forward[..., ::3, ::3, ::3], inverse[..., ::4, ::4, ::4]
    torch.testing.assert_close(forward, vectors["out.phi_AB_sub3"], atol=MAP_ATOL, rtol=0)
    torch.testing.assert_close(inverse, vectors["out.phi_BA_sub4"], atol=MAP_ATOL, rtol=0)


def test_images_are_prepared_the_published_ways(golden: Golden) -> None:
    vectors = golden("unigradicon_preprocess")
    image = vectors["in.img"]
    seen = normalised(image, "quantile")
    torch.testing.assert_close(seen, vectors["lumir.preprocessed"], atol=1e-6, rtol=0)
    torch.testing.assert_close(
        normalised(image, "kthvalue"), vectors["cli.preprocessed"], atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        resized(seen, (9, 9, 9)), vectors["lumir.resized_175like"], atol=1e-6, rtol=0
    )
