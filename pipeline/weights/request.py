"""The request of a user about weights, resolved to files and entries without torch."""

from collections.abc import Sequence
from pathlib import Path

from l2r.errors import ConfigError, OutputError
from models.weights.registry import SAFETENSORS, RegisteredWeights, look_up, registered


def chosen(weights: Sequence[Path], *, everything: bool) -> list[RegisteredWeights | Path]:
    """List the weights to verify: the given ones, or all names in the registry.

    Raises:
        WeightsError: there is no such file or name.
        ConfigError: nothing was asked for.
    """
    if not weights and not everything:
        raise ConfigError("nothing to verify: give names in the registry, weights files, or --all")
    names = map(Path, registered()) if everything else []
    return [look_up(one) for one in dict.fromkeys([*weights, *names])]


def refuse_target(target: Path, source: Path) -> None:
    """See that no file is lost: what is there is replaced only if it is the source itself.

    Then someone has given the same name twice, and means it.

    Raises:
        ConfigError: the target has another name than safetensors have.
        OutputError: the target is there already.
    """
    if not target.name.endswith(SAFETENSORS):
        raise ConfigError(f"{target}: the name of what is written must end in {SAFETENSORS}")
    if target.exists() and not target.samefile(source):
        raise OutputError(f"{target}: is there already; delete it, or give another name")
