"""From a prepared pair to a network's field."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from l2r.errors import ImageError
from l2r.grid import GridRule, working_grid
from l2r.pairs import Pair, Scan
from l2r.prepare import Prepared
from models.networks.base import RegistrationModel
from models.networks.blocks import FieldHead
from models.networks.passes import PassSettings
from models.networks.pyramid import PyramidConfig
from models.segmentation.segmenter import Segmenter
from pipeline.register.predict import PredictField, to_numpy
from tests.models.segmentation.brains import SMALL

CPU = torch.device("cpu")


@pytest.fixture
def pair() -> Prepared:
    """Noise."""
    scan = Scan(PurePosixPath("noise.nii.gz"), Path("noise.nii.gz"))
    fixed, moving = np.random.default_rng(0).random((2, 32, 32, 48), np.float32)
    grid = working_grid(fixed.shape, moving.shape, GridRule())
    return Prepared(Pair(scan, scan), fixed, moving, grid, np.eye(4))


@pytest.fixture
def network() -> RegistrationModel:
    """Moves things by a voxel or so."""
    torch.manual_seed(0)
    model = PyramidConfig(first=4, encoder=(6, 8), decoder=(8, 8)).build()
    for part in model.modules():
        if isinstance(part, FieldHead):
            nn.init.normal_(part.weight, std=0.1)
    return model


def test_a_network_taught_on_means_sees_means_and_its_field_is_enlarged(
    pair: Prepared, network: RegistrationModel
) -> None:
    means = [
        torch.from_numpy(volume).view(16, 2, 16, 2, 24, 2).mean((1, 3, 5))[None, None]
        for volume in (pair.fixed, pair.moving)
    ]
    found = PredictField(network, CPU, PassSettings((2,)))(pair)
    with torch.inference_mode():
        coarse = network(*means)
    expected = 2 * interpolate(coarse, scale_factor=2.0, mode="trilinear")[0].permute(1, 2, 3, 0)
    assert expected.std() > 0.1
    np.testing.assert_allclose(to_numpy(found.field), expected, atol=1e-4)


def test_a_pass_that_there_is_no_time_for_is_left_out_and_told_of(
    pair: Prepared, network: RegistrationModel
) -> None:
    hurried = PredictField(network, CPU, PassSettings((2, 1, 1)))(pair, deadline=0.0)  # long ago
    first = PredictField(network, CPU, PassSettings((2,)))(pair)
    assert torch.equal(hurried.field, first.field)
    assert hurried.warnings == ("no time for 2 of the network's 3 passes",)
    assert PredictField(network, CPU, PassSettings((2, 1)))(pair).warnings == ()


def test_half_precision_ends_with_the_network(pair: Prepared, network: RegistrationModel) -> None:
    full = to_numpy(PredictField(network, CPU, PassSettings((2,)))(pair).field)
    half = to_numpy(PredictField(network, CPU, PassSettings((2,), half=True))(pair).field)
    assert 0 < np.square(half - full).mean() < 1e-3 * np.square(full).mean()
    rounded = torch.from_numpy(half).bfloat16().float().numpy()
    assert (rounded != half).mean() > 0.9  # as if it had been enlarged in half precision


def test_one_slice_has_no_soft_labels(pair: Prepared, network: RegistrationModel) -> None:
    slices = replace(pair, grid=working_grid((32, 32, 1), (32, 32, 1), GridRule()))
    predict = PredictField(network, CPU, segmenter=Segmenter(SMALL.build(), CPU))
    with pytest.raises(ImageError, match=r"noise\.nii\.gz: is one slice, but \[segmentation\]"):
        predict(slices)
