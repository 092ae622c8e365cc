import torch

from l2r.task import load_task
from models.segmentation.structures import CLASSES, STRUCTURES, mirrored, swap_channels, to_channels


def test_the_31_structures_are_those_that_the_aseg_task_scores() -> None:
    assert tuple(load_task("aseg").evaluation["labels"]) == STRUCTURES


def test_mirroring_exchanges_sides_and_undoes_itself() -> None:
    other = mirrored()
    assert [other[channel] for channel in other] == list(range(len(CLASSES)))
    assert CLASSES[other[CLASSES.index(17)]] == 53
    assert CLASSES[other[CLASSES.index(16)]] == 16
    channels = to_channels(torch.tensor([[[[2, 41, 0, 14]]]]))
    labels = [CLASSES[channel] for channel in swap_channels(channels).flatten().tolist()]
    assert labels == [41, 2, 0, 14]


def test_small_labels_count_as_the_structure_around_them_and_others_as_background() -> None:
    labels = torch.tensor([[[[30, 62, 72, 163, 250, 17]]]])
    found = [CLASSES[channel] for channel in to_channels(labels).flatten().tolist()]
    assert found == [2, 41, 24, 3, 0, 17]
