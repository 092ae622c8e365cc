from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from l2r.errors import WeightsError
from models.segmentation.network import SegmentationNetworkConfig
from models.segmentation.segmenter import Segmenter
from models.segmentation.structures import CLASSES, STRUCTURES, mirrored
from tests.models.segmentation.brains import SMALL

CPU = torch.device("cpu")


def image(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand((1, 1, *shape), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def segmenter() -> Segmenter:
    return Segmenter(SMALL.build(), CPU)


def test_soft_labels_are_probabilities_at_half_the_resolution(segmenter: Segmenter) -> None:
    soft = segmenter.soft_labels(image(20, 24, 28))
    assert soft.shape == (1, len(CLASSES), 10, 12, 14)
    # Kept in half precision: three decimals.
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(1, 10, 12, 14), atol=5e-3, rtol=0)


def test_a_mirror_image_has_the_mirrored_labels(segmenter: Segmenter) -> None:
    shape = (24, 24, 16)  # a multiple of what the network needs: nothing is padded on one side
    soft, other = segmenter.soft_labels(image(*shape)), segmenter.soft_labels(image(*shape).flip(2))
    torch.testing.assert_close(other.flip(2)[:, mirrored()], soft, atol=2e-3, rtol=0)


def test_padding_on_odd_grids_changes_no_shape(segmenter: Segmenter) -> None:
    assert segmenter.label_map(image(18, 22, 26)).shape == (1, 1, 18, 22, 26)


def test_a_label_map_holds_the_most_likely_label(segmenter: Segmenter) -> None:
    labels = segmenter.label_map(image(16, 16, 16))
    assert set(labels.unique().tolist()) <= set(CLASSES)
    with torch.no_grad():
        head = segmenter._network.get_submodule("head")
        assert isinstance(head, nn.Conv3d)
        assert head.bias is not None
        head.bias[CLASSES.index(17)] = 1e3
    bright = image(16, 16, 16, seed=1).clamp(min=0.1)
    assert segmenter.label_map(bright).unique().tolist() == [17]


def test_a_label_map_has_no_label_where_the_image_is_dark(segmenter: Segmenter) -> None:
    half = image(16, 16, 16).clamp(min=0.1)
    half[:, :, 8:] = 0.01
    labels = segmenter.label_map(half)
    assert bool((labels[:, :, :8] > 0).all())
    assert not labels[:, :, 8:].any()


def test_an_image_is_computed_once(segmenter: Segmenter) -> None:
    first = segmenter.soft_labels(image(16, 16, 16))
    nn.init.zeros_(segmenter._network.get_submodule("head").weight)  # type: ignore[arg-type]
    assert torch.equal(segmenter.soft_labels(image(16, 16, 16)), first)
    for seed in range(1, 9):  # as many as are kept
        segmenter.soft_labels(image(16, 16, 16, seed=seed))
    assert not torch.equal(segmenter.soft_labels(image(16, 16, 16)), first)


def test_a_pair_has_the_structures_alone(segmenter: Segmenter) -> None:
    pair = segmenter.pair(image(16, 16, 16), image(16, 16, 16, seed=1))
    assert pair.labels == STRUCTURES
    assert pair.fixed.shape == pair.moving.shape == (1, len(STRUCTURES), 8, 8, 8)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    save_file(SMALL.build().state_dict(), path)
    with pytest.raises(WeightsError, match="does not fit SegmentationNetwork"):
        Segmenter.from_weights(path, CPU)
    save_file(SegmentationNetworkConfig().build().state_dict(), path)
    assert Segmenter.from_weights(path, CPU).soft_labels(image(16, 16, 16)).shape[1] == 33
    with pytest.raises(WeightsError, match="network"):
        Segmenter.from_weights(Path("t1_brain"), CPU)
