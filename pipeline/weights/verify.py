"""Does a weights file hold what it is said to hold, and does its network give a field?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from pydantic import RootModel

from l2r.errors import ConfigError, WeightsError
from l2r.schema import parse
from models.networks.base import NetworkConfig
from models.networks.catalog import ModelConfig
from models.segmentation.network import SEGMENTATION
from models.segmentation.segmenter import Segmenter
from models.weights.file import read_checkpoint
from models.weights.load import load_weights
from models.weights.match import compare_with_catalog, in_words, name_of, networks
from models.weights.registry import RegisteredWeights

_SMALL = (20, 24, 40)
"""Voxels of the made-up images; the nearest shape that the network allows is taken."""
_LARGEST = 128**3
"""Voxels; for more than these, a network takes minutes on a laptop."""


class _Network(RootModel[ModelConfig]):
    """Parse the network of an entry."""


@dataclass(frozen=True)
class WeightsCheck:
    """About one set of weights."""

    good: bool
    text: str
    """Begins with the name or the path."""


def verdicts(
    weights: Sequence[RegisteredWeights | Path], network: str | None = None
) -> Iterator[WeightsCheck]:
    """Check hash, fit and field of each.

    Args:
        weights: those with a name, whose hash and network the registry states, and files.
        network: the name of the network that the files must fit; without one, any will do.

    Yields:
        A verdict for each, in this order.

    Raises:
        ConfigError: there is no such network, or it is given for a name.
    """
    _refuse_network(weights, network)
    for one in weights:
        try:
            if isinstance(one, RegisteredWeights):
                yield WeightsCheck(good=True, text=f"{one.name}: {_verify_named(one)}")
            else:
                yield WeightsCheck(good=True, text=f"{one}: {_verify_file(one, network)}")
        except WeightsError as error:
            yield WeightsCheck(good=False, text=str(error))


def _refuse_network(weights: Sequence[RegisteredWeights | Path], network: str | None) -> None:
    if network is None:
        return
    if network not in networks():
        known = ", ".join(networks())
        raise ConfigError(f"--network {network}: no such network; there are {known}")
    for one in weights:
        if isinstance(one, RegisteredWeights):
            raise ConfigError(f"--network is for files; the registry says what {one.name!r} is")


def _verify_named(weights: RegisteredWeights) -> str:
    where = f"weights {weights.name!r}: network"
    if weights.entry.network.get("name") == SEGMENTATION:
        return f"hash as stated, {_segmented(weights)}"
    config = parse(_Network, weights.entry.network, where, WeightsError).root
    if not config.trainable or config.weights is not None:
        raise WeightsError(f"{where}: must be one that has weights, without naming them here")
    return f"hash as stated, {_tried(config, weights.checked())}"


def _verify_file(path: Path, network: str | None) -> str:
    comparisons = compare_with_catalog(read_checkpoint(path).state)
    nearest = next(c.config for c in comparisons if network in {None, name_of(c.config)})
    return _tried(nearest, path)


def _segmented(weights: RegisteredWeights) -> str:
    """The segmentation network with these weights, and its soft labels of an image of noise."""
    segmenter = Segmenter.from_weights(Path(weights.name), torch.device("cpu"))
    image = torch.rand((1, 1, *_SMALL), generator=torch.Generator().manual_seed(0))
    if not segmenter.soft_labels(image).isfinite().all():
        raise WeightsError(f"weights {weights.name!r}: soft labels are NaN; the file is damaged")
    voxels = " x ".join(map(str, _SMALL))
    return f'fits name = "{SEGMENTATION}", finite soft labels on {voxels} voxels'


def _tried(config: NetworkConfig, path: Path) -> str:
    """The network with these weights, and its field for images of noise."""
    model = config.build().eval()
    load_weights(model, path)
    shape = model.grid.nearest(_SMALL)
    voxels = " x ".join(map(str, shape))
    fits = f"fits {in_words(config)}"
    if prod(shape) > _LARGEST:
        return f"{fits}, no field computed: its grid of {voxels} voxels takes too long for a check"
    random = torch.Generator().manual_seed(0)
    fixed, moving = torch.rand((2, 1, 1, *shape), generator=random)
    with torch.inference_mode():
        field = model(fixed, moving)
    if not field.isfinite().all():
        raise WeightsError(
            f"{path}: gives NaN or infinite displacements for images of noise, {voxels} voxels; "
            "the training has diverged, or the file is damaged"
        )
    return f"{fits}, finite field on {voxels} voxels"
