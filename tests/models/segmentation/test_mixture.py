"""Probabilities that the intensities of an image make sharper."""

import torch
from torch import Tensor

from models.segmentation.mixture import TISSUES, likeliest, sharpened, tissue_of_channels
from models.segmentation.structures import CLASSES, STRUCTURES

WHITE, CORTEX, VENTRICLE = (CLASSES.index(label) for label in (2, 3, 4))


def brain(voxels: int = 3000) -> tuple[Tensor, Tensor, Tensor]:
    """True channels, a prior that is wrong by a third, and intensities of three tissues."""
    random = torch.Generator().manual_seed(0)
    numbers = torch.randint(3, (voxels,), generator=random)
    true = torch.tensor([WHITE, CORTEX, VENTRICLE])[numbers]
    blurred = torch.where(torch.rand(voxels, generator=random) < 0.33, true.roll(1), true)
    prior = torch.zeros(len(CLASSES), voxels)
    for channel in (WHITE, CORTEX, VENTRICLE):
        prior[channel] = torch.where(blurred == channel, 0.6, 0.2)
    levels = torch.tensor([0.44, 0.31, 0.15])[numbers]
    return true, prior, levels + 0.01 * torch.randn(voxels, generator=random)


def test_each_structure_has_one_tissue_and_both_sides_have_the_same() -> None:
    assert sorted(label for tissue in TISSUES for label in tissue) == sorted(CLASSES[1:])
    tissue = dict(zip(CLASSES[1:], tissue_of_channels(), strict=True))
    assert tissue[2] == tissue[41]
    assert len({tissue[label] for label in STRUCTURES}) == len(TISSUES)


def test_intensities_correct_what_the_prior_has_wrong() -> None:
    true, prior, intensities = brain()
    assert (prior.argmax(dim=0) == true).float().mean() < 0.8
    for found in (likeliest(prior, intensities), sharpened(prior, intensities).argmax(dim=0)):
        assert (found == true).float().mean() > 0.99


def test_contrast_may_be_any_since_it_is_fitted_to_the_image() -> None:
    true, prior, intensities = brain()
    found = likeliest(prior, 0.6 - intensities)
    assert (found == true).float().mean() > 0.99


def test_a_constant_image_leaves_the_prior_as_it_is() -> None:
    _, prior, _ = brain()
    found = sharpened(prior, torch.full((prior.shape[1],), 0.4))
    # The least probability of the others takes .001 away.
    torch.testing.assert_close(found, prior, atol=2e-3, rtol=0)


def test_the_background_keeps_its_probability_and_all_sum_to_one() -> None:
    _, prior, intensities = brain()
    prior = torch.cat([torch.full((1, prior.shape[1]), 0.25), 0.75 * prior[1:]])
    found = sharpened(prior, intensities)
    assert torch.equal(found[0], prior[0])
    torch.testing.assert_close(found.sum(dim=0), torch.ones(prior.shape[1]))  # float32


def test_many_voxels_are_fitted_by_some_of_them() -> None:
    true, prior, intensities = brain(voxels=450_000)
    assert (likeliest(prior.half(), intensities) == true).float().mean() > 0.99


def test_no_voxel_at_all_is_no_error() -> None:
    assert likeliest(torch.zeros(len(CLASSES), 0), torch.zeros(0)).shape == (0,)
    assert sharpened(torch.zeros(len(CLASSES), 0), torch.zeros(0)).shape == (len(CLASSES), 0)
