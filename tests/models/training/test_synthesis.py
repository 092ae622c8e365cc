"""Synthetic pairs: nothing folds, images are sound, samples follow from their numbers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from eval.metrics.ndv import non_diffeomorphic_volume
from l2r.dataset import scans_of_folder
from l2r.errors import ImageError
from l2r.field import from_channels_first
from l2r.formats.volumes import write_volume
from l2r.grid import GridRule
from models.descent.objective import ImagePair
from models.training.dataset import Dataset
from models.training.sampling import PairPreprocessor
from models.training.synthesis.config import Appearance, Deformation, NoiseScale, Synthesis
from models.training.synthesis.deformation import random_deformation
from models.training.synthesis.image import ImageSynthesizer
from models.training.synthesis.pairs import SyntheticPairs
from models.training.synthesis.smooth import along_axes, gaussian, smooth_noise, thick_slices
from models.training.synthesis.tissue import random_tables

CPU = torch.device("cpu")
USUAL, STILL = Deformation(), Deformation(degrees=0, voxels=0, scale=0, shear=0, noise_scales=())
PLAIN = Appearance(
    jitter=0, texture=0, blur=0, thick_share=0, bias=0, noise=0, gamma=0, brightest=(0.4, 0.4)
)
Made = Callable[..., SyntheticPairs]


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def made(brains: Path, preprocessor: PairPreprocessor) -> Made:
    """Pairs from the label maps of the made-up brains."""

    def make(count: int = 6, shrink: int = 1, **changes: object) -> SyntheticPairs:
        rule = GridRule(16 // shrink)
        wanted = replace(preprocessor, rule=rule, labels=True, structures=(2, 43), shrink=shrink)
        config = Synthesis.model_validate({"pairs": 8} | changes)
        maps = scans_of_folder(brains / "labelsVal")[:count]
        return SyntheticPairs(maps, wanted, config, seed=5)

    return make


def sample(source: Dataset, epoch: int = 0, number: int = 0) -> ImagePair:
    return source.read(epoch, number)(CPU)


def tensors(case: ImagePair) -> list[Tensor]:
    return [case.fixed, case.moving, *(case.labels or ())]


def same(one: ImagePair, other: ImagePair) -> bool:
    return all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))


def displacement(seed: int, shrink: int = 1, config: Deformation = USUAL) -> Tensor:
    shape = (32 // shrink, 40 // shrink, 24 // shrink)
    return random_deformation(shape, shrink, config, stream(seed), CPU)


@pytest.mark.parametrize("seed", range(12))
def test_no_deformation_folds_even_the_strongest(seed: int) -> None:
    steepest = tuple(NoiseScale(width=width, strength=0.2 * width) for width in (16, 8, 4))
    strongest = Deformation(degrees=20, voxels=10, scale=0.2, shear=0.1, noise_scales=steepest)
    beyond = [
        NoiseScale.model_construct(width=float(n), strength=float(n)) for n in (24, 16, 12, 8)
    ]
    for config in (USUAL, strongest, strongest.model_copy(update={"noise_scales": beyond})):
        vectors = from_channels_first(displacement(seed, config=config)[0].numpy())
        assert non_diffeomorphic_volume(vectors, np.ones(vectors.shape[:3], bool)) == 0
        assert np.abs(vectors).max() > 1


def test_waves_that_would_fold_are_refused() -> None:
    with pytest.raises(
        ValidationError, match=r"strength 5 is too steep; at most 0\.2 of the width, 2"
    ):
        NoiseScale(width=10, strength=5)


def test_a_smaller_grid_has_the_same_deformation() -> None:
    fine, coarse = displacement(3), displacement(3, shrink=2)
    expected = torch.nn.functional.avg_pool3d(fine, 2) / 2
    torch.testing.assert_close(
        coarse[..., 1:-1, 1:-1, 1:-1], expected[..., 1:-1, 1:-1, 1:-1], atol=0.02, rtol=0
    )


def test_without_anything_random_nothing_moves() -> None:
    assert displacement(0, config=STILL).abs().max() < 1e-6


def test_translation_is_in_voxels_of_the_label_map() -> None:
    config = STILL.model_copy(update={"voxels": 3.0})
    fine, coarse = displacement(0, config=config), displacement(0, 2, config)
    assert fine.amax((2, 3, 4)).allclose(fine.amin((2, 3, 4)), atol=1e-5)
    assert coarse.mean((2, 3, 4)).allclose(fine.mean((2, 3, 4)) / 2, atol=1e-5)
    assert 0.1 < fine.abs().max() <= 3


@pytest.mark.parametrize("shrink", [1, 2])
def test_a_slice_is_deformed_within_its_plane(shrink: int) -> None:
    field = random_deformation((32 // shrink, 40 // shrink, 1), shrink, USUAL, stream(4), CPU)
    assert field[:, 2].abs().max() == 0
    assert field[:, :2].abs().amax((2, 3, 4)).min() > 0.5
    vectors = from_channels_first(field[0].numpy())
    assert non_diffeomorphic_volume(vectors, np.ones(vectors.shape[:3], bool)) == 0


@pytest.mark.parametrize("shrink", [1, 2])
def test_the_image_of_a_slice_has_its_tissue(shrink: int) -> None:
    labels = torch.zeros(1, 1, 32, 40, 1, dtype=torch.int32)
    labels[:, :, 8:24, 10:30] = 2
    field = random_deformation((32 // shrink, 40 // shrink, 1), shrink, USUAL, stream(4), CPU)
    image, moved = ImageSynthesizer(PLAIN, shrink, 0)(labels, field)
    assert image.shape == moved.shape == field[:, :1].shape
    share = (image > 0.1).float().mean()
    # A quarter of the slice, scaled and sheared by a fifth at most, and a border of half values.
    assert 0.15 < share < 0.4


def test_smooth_noise_has_unit_deviation_everywhere_and_like_neighbours() -> None:
    noise = torch.cat([smooth_noise((8, 6, 8, 10), (2.0, 2.0, 2.0), stream(n)) for n in range(200)])
    assert noise.std(0).sub(1).abs().max() < 0.1
    near, far = ((noise[:, 0] * noise[:, step]).mean() for step in (1, 5))
    assert near > 0.8
    assert far < 0.4


@pytest.mark.parametrize("matrix", [gaussian(12, 1.5), gaussian(12, 0.0), thick_slices(12, 2.7)])
def test_blur_and_thick_slices_keep_a_constant(matrix: Tensor) -> None:
    torch.testing.assert_close(matrix.sum(1), torch.ones(12))


def test_slices_of_whole_voxels_are_their_means() -> None:
    line = torch.arange(12.0)
    middle = (thick_slices(12, 2.0) @ line)[1:-1]
    torch.testing.assert_close(middle, line[1:-1])  # means of a ramp, and the ramp between them
    spike = thick_slices(12, 3.0) @ torch.eye(12)[4]
    assert float(spike[4]) == pytest.approx(1 / 3)


def test_each_axis_has_its_own_matrix() -> None:
    stack = torch.rand(1, 1, 3, 4, 5)
    scales = [torch.eye(size) * factor for size, factor in ((3, 2.0), (4, 3.0), (5, 5.0))]
    torch.testing.assert_close(along_axes(stack, scales), 30 * stack)
    shift = torch.eye(4).roll(1, 0)
    moved = along_axes(stack, [torch.eye(3), shift, torch.eye(5)])
    assert torch.equal(moved, stack.roll(1, 3))


@pytest.mark.parametrize("seed", range(20))
def test_t1_like_is_white_above_grey_above_fluid_and_sides_are_alike(seed: int) -> None:
    means, deviations = random_tables(165, Appearance(), stream(seed))
    assert means[2] > means[3] > means[4]
    assert means[7] > means[8] > means[24] > 0
    for left, right in ((2, 41), (3, 42), (17, 53), (28, 60), (136, 163)):
        assert means[left] == means[right]
        assert deviations[left] == deviations[right]
    assert means[0] == deviations[0] == 0


def test_random_intensities_have_any_order() -> None:
    orders = {
        bool(means[2] > means[3])
        for means, _ in (random_tables(60, Appearance(t1=0), stream(seed)) for seed in range(20))
    }
    assert orders == {True, False}


def test_an_image_without_artefacts_is_its_means() -> None:
    labels = torch.zeros(1, 1, 8, 8, 8, dtype=torch.int32)
    labels[:, :, 2:6, 2:6, 2:6] = 2
    labels[:, :, 2:6, 2:6, 4:6] = 42
    image, moved = ImageSynthesizer(PLAIN, 1, seed=0)(labels, torch.zeros(1, 3, 8, 8, 8))
    assert torch.equal(moved, labels)
    assert image[labels == 0].eq(0).all()
    torch.testing.assert_close(image[labels == 42], torch.full((32,), 0.4 * 0.68))
    torch.testing.assert_close(image[labels == 2], torch.full((32,), 0.4))


def test_at_half_the_resolution_neighbours_are_averaged() -> None:
    labels = torch.full((1, 1, 8, 8, 8), 2, dtype=torch.int32)
    labels[:, :, ::2] = 3
    image, _ = ImageSynthesizer(PLAIN, 2, seed=0)(labels, torch.zeros(1, 3, 4, 4, 4))
    torch.testing.assert_close(image, torch.full_like(image, 0.4 * 0.84))


@pytest.mark.parametrize("change", ["texture", "blur", "bias", "noise", "gamma", "thick"], ids=str)
def test_every_artefact_changes_the_image_and_leaves_the_background(change: str) -> None:
    labels = torch.randint(0, 4, (1, 1, 8, 8, 8), generator=stream(1), dtype=torch.int32)
    values = (
        {"thick": 3.0, "thick_share": 1.0}
        if change == "thick"
        else {change: 3.0 if change == "blur" else 0.5}
    )
    still = torch.zeros(1, 3, 8, 8, 8)
    clean, _ = ImageSynthesizer(PLAIN, 1, seed=4)(labels, still)
    image, _ = ImageSynthesizer(PLAIN.model_copy(update=values), 1, seed=4)(labels, still)
    assert (image - clean).abs().max() > 0.01
    assert image[labels == 0].eq(0).all()
    assert 0 <= image.min() < image.max() <= 1


def test_some_of_the_fluid_around_the_brain_is_stripped() -> None:
    labels = torch.full((1, 1, 24, 24, 24), 24, dtype=torch.int32)
    labels[:, :, 9:15, 9:15, 9:15] = 2
    still = torch.zeros(1, 3, 24, 24, 24)
    kept = [
        ImageSynthesizer(PLAIN, 1, seed)(labels, still)[0].gt(0).sum().item() for seed in range(8)
    ]
    assert len(set(kept)) > 3
    assert min(kept) >= 6**3


def test_a_sample_follows_from_seed_epoch_and_number_alone(made: Made) -> None:
    first = sample(made(), 1, 3)
    source = made()
    for number in (7, 0, 5):
        sample(source, 2, number)
    torch.manual_seed(9)
    assert same(sample(source, 1, 3), first)
    assert not same(sample(source, 1, 4), first)
    assert not same(sample(source, 2, 3), first)


def test_images_are_on_the_grid_and_labels_fit_them(made: Made) -> None:
    for shrink in (1, 2):
        case = sample(made(shrink=shrink))
        side = 16 // shrink
        assert case.fixed.shape == case.moving.shape == (1, 1, side, side, side)
        assert case.labels is not None
        assert case.labels[0].shape == (1, 2, side, side, side)
        assert 0 < case.moving.max() <= 1
        for image, stack in zip((case.fixed, case.moving), case.labels, strict=True):
            assert set(stack.unique().tolist()) == {0, 1}
            assert image[stack[:, :1] == 1].mean() > 0.2  # white matter


def test_one_map_or_two(made: Made) -> None:
    for share, expected in ((1.0, True), (0.0, False)):
        source = made(one_map=share)
        for number in range(8):
            pair = source.pair(0, number)
            assert (pair.fixed == pair.moving) == expected


def test_images_of_one_map_differ(made: Made) -> None:
    case = sample(made(1))
    assert case.labels is not None
    assert not torch.equal(case.fixed, case.moving)
    assert not torch.equal(*case.labels)


def test_structures_that_both_have_count_if_none_are_named(made: Made, brains: Path) -> None:
    source = made(one_map=1.0)
    source._preprocessor = replace(source._preprocessor, structures=None)
    labels = sample(source).labels
    assert labels is not None
    assert labels[0].shape[1] > 2
    source._preprocessor = replace(source._preprocessor, labels=False)
    assert sample(source).labels is None


@pytest.mark.parametrize("values", [0, -1])
def test_what_is_no_label_map_is_named(
    preprocessor: PairPreprocessor, tmp_path: Path, values: int
) -> None:
    write_volume(tmp_path / "a.nii.gz", np.full((16, 16, 16), values, np.int16))
    source = SyntheticPairs(scans_of_folder(tmp_path), preprocessor, Synthesis(), seed=0)
    with pytest.raises(ImageError, match=r"a\.nii\.gz: no label map: needs labels above 0"):
        source.read(0, 0)


@pytest.mark.parametrize("label", [65536, 2**31 + 7, 10**12])
def test_a_label_too_great_for_a_table_is_named(
    preprocessor: PairPreprocessor, tmp_path: Path, label: int
) -> None:
    maps = np.zeros((16, 16, 16), np.int64)
    maps[4:12] = label
    nib.save(nib.Nifti1Image(maps, np.eye(4), dtype=np.int64), tmp_path / "a.nii.gz")
    source = SyntheticPairs(scans_of_folder(tmp_path), preprocessor, Synthesis(), seed=0)
    with pytest.raises(ImageError, match=rf"a\.nii\.gz: has a label {label}; .* 65535 at most"):
        source.read(0, 0)


@pytest.mark.real
@pytest.mark.slow
def test_real_label_maps_give_brains(preprocessor: PairPreprocessor, shared: Path) -> None:
    maps = scans_of_folder(shared / "data" / "labelmaps")
    low = replace(preprocessor, rule=GridRule(), labels=True, structures=(2, 3, 4), shrink=4)
    case = sample(SyntheticPairs(maps, low, Synthesis(one_map=0.0), seed=1))
    assert case.labels is not None
    assert case.fixed.shape == (1, 1, 40, 56, 48)
    assert 0.2 < case.fixed.gt(0).float().mean() < 0.5
    white, grey, fluid = (
        case.fixed[case.labels[0][:, n : n + 1] == 1].median().item() for n in range(3)
    )
    assert 0.46 > white > grey > fluid > 0
