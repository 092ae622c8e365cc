"""uniGradICON against outputs, losses and gradients of the published code."""

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.gradicon.conversion import displacement
from models.gradicon.maps import Map, Points, identity
from models.gradicon.network import UniGradIcon, UniGradIconConfig
from models.gradicon.preprocess import normalised, resized
from models.gradicon.unet import UNetSizes
from models.spatial import sample
from tests.models.conftest import Described, Golden
from tests.models.recipes import made_up_volume, made_up_weights

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
    there: Map
    back: Map

    @property
    def total(self) -> Tensor:
        return self.similarity + 1.5 * self.regulariser


def blurred(image: Tensor) -> Tensor:
    """Gaussian of 5 voxels, cut at two standard deviations; zeros around the image."""
    weights = torch.exp(-(torch.arange(-10.0, 11.0) ** 2) / 50)
    weights = weights / weights.sum()
    for axis in range(3):
        kernel = weights.view([21 if other == axis else 1 for other in range(-2, 3)])
        padding = [10 if other == axis else 0 for other in range(3)]
        image = functional.conv3d(image, kernel, padding=padding)
    return image


def lncc_loss(a: Tensor, b: Tensor) -> Tensor:
    """One minus the mean local correlation, which is not squared."""

    def variance(image: Tensor) -> Tensor:
        return functional.relu(blurred(image**2) - blurred(image) ** 2) + 1e-5

    covariance = blurred(a * b) - blurred(a) * blurred(b)
    return 1 - (covariance / (variance(a) * variance(b)).sqrt()).mean()


def gradicon_loss(there: Map, back: Map, places: Tensor) -> Tensor:
    """Sum over the axes of `mean(((e(p) - e(p + step)) / step)^2)`, `e(p) = p - there(back(p))`."""
    steps = 1e-3 * torch.eye(3).view(3, 1, 3, 1, 1, 1)

    def error(places: Tensor) -> Tensor:
        return places - there(back(Points(places))).coordinates

    start = error(places)
    return sum(((start - error(places + step)) / 1e-3).square().mean() for step in steps)


def losses_of(model: UniGradIcon, a: Tensor, b: Tensor, noise: Tensor) -> Losses:
    there, back = model.phi(a, b), model.phi(b, a)
    similarity = lncc_loss(warped(a, there), b) + lncc_loss(warped(b, back), a)
    places = (identity(a).coordinates + 2 * noise / a.shape[-1])[..., ::2, ::2, ::2]
    return Losses(similarity, gradicon_loss(there, back, places), there, back)


def warped(image: Tensor, phi: Map) -> Tensor:
    """The published loss sees zeros beyond the image, the network its border values."""
    return sample(image, phi(identity(image)).coordinates, padding="zeros")


def flips(phi: Map, like: Tensor) -> int:
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
    magnitude = (rest - losses.there(identity(like)).coordinates).square().mean()
    expected = {name.split(".")[-1]: value.item() for name, value in stored.items()}
    assert losses.similarity.item() == pytest.approx(
        expected["similarity_loss"], abs=SIMILARITY_ATOL
    )
    assert losses.regulariser.item() == pytest.approx(
        expected["inverse_consistency_loss"], abs=REGULARISER_ATOL
    )
    assert losses.total.item() == pytest.approx(expected["all_loss"], abs=2 * REGULARISER_ATOL)
    assert magnitude.item() == pytest.approx(expected["transform_magnitude"], rel=1e-4)
    assert flips(losses.back, like) == expected["flips"]


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
        there, back = small.phi(a, b), small.phi(b, a)
        found = {
            "phi_AB": there(rest).coordinates,
            "phi_BA": back(rest).coordinates,
            "phi_AB_at_24x28x20": there(identity(a, (24, 28, 20))).coordinates,
        }
        moved = {"warped_A": warped(a, there), "warped_B": warped(b, back)}
    for name, value in found.items():
        torch.testing.assert_close(value, vectors[f"out.{name}"], atol=MAP_ATOL, rtol=0)
    for name, value in moved.items():
        torch.testing.assert_close(value, vectors[f"out.{name}"], atol=VOXEL_ATOL, rtol=0)
    assert flips(there, torch.zeros(1, 1, 24, 28, 20)) == vectors["out.flips_pct_at_24x28x20"]


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
        places = losses.there(identity(vectors["in.A"])).coordinates[..., ::2, ::2, ::2]
    course.append(losses.total.item())
    assert course == pytest.approx(
        trained["io.losses_adam_2e-5_eval"].tolist(), abs=2 * REGULARISER_ATOL
    )
    expected = trained["io.phi_AB_after_sub2"]
    torch.testing.assert_close(places, expected, atol=MAP_ATOL, rtol=0)


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
        there, back = (phi(identity(a)).coordinates for phi in (losses.there, losses.back))
        assert_losses_agree(losses, a, starting_with(vectors, "out.loss."))
    there, back = there[..., ::3, ::3, ::3], back[..., ::4, ::4, ::4]
    torch.testing.assert_close(there, vectors["out.phi_AB_sub3"], atol=MAP_ATOL, rtol=0)
    torch.testing.assert_close(back, vectors["out.phi_BA_sub4"], atol=MAP_ATOL, rtol=0)


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
