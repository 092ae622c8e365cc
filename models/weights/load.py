"""Networks with their weights: all of them must fit, and a message says how they do not."""

from pathlib import Path

from torch import nn

from l2r.errors import WeightsError
from models.networks.base import NetworkConfig, RegistrationModel
from models.types import State
from models.weights.differences import Differences
from models.weights.file import read_checkpoint
from models.weights.match import compare_with_catalog, in_words
from models.weights.registry import find_weights


def build_network(config: NetworkConfig) -> RegistrationModel:
    """Build a network with its weights, if there are any.

    Raises:
        WeightsError: the weights cannot be found or used.
    """
    model = config.build()
    if config.weights is not None:
        load_weights(model, find_weights(config.weights))
    for name, other in config.pretrained_parts().items():
        trained = build_network(other).get_submodule(name).state_dict()
        model.get_submodule(name).load_state_dict(trained)
    return model


def load_weights(model: nn.Module, path: Path) -> None:
    """Give the model the weights of a file; all of them must fit.

    Half precision becomes the model's precision. `models.weights.file` says which files can be
    read, and which of their tensors count.

    Args:
        model: changed only if everything fits.
        path: of the file.

    Raises:
        WeightsError: there is no such file, it cannot be read safely, or it does not fit; where
            it fits another network of the catalogue, the message says which.
    """
    state = read_checkpoint(path).state
    if differences := Differences.between(model.state_dict(), state):
        raise WeightsError(
            f"{path}: does not fit {type(model).__name__}: {differences}; {_advice(state)}"
        )
    model.load_state_dict(state)


def _advice(state: State) -> str:
    nearest = compare_with_catalog(state)[0]
    if not nearest.differences:
        return f"it fits model {in_words(nearest.config)}"
    return "give the weights of this network or its sizes in the model's configuration"
