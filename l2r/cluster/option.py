"""The option `--cluster`, before dask.distributed is loaded."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from l2r.cluster.local import local_count
from l2r.errors import ConfigError

if TYPE_CHECKING:
    from l2r.cluster.workers import Workers

ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="PLACE",
        help="local:N worker processes, tcp://HOST:8786 of a Dask scheduler, or a TOML file of a "
        "batch system",
        show_default="this process",
    ),
]


def open_workers(text: str, gpus: int = 0) -> AbstractContextManager["Workers"]:
    """Start or find workers; leaving the block ends all that it has started.

    Args:
        text: as `--cluster` gives it.
        gpus: of this machine that its own workers share out.

    Raises:
        ConfigError: no such place, or dask.distributed is not installed.
        ClusterError: the scheduler does not answer, or the batch system refuses.
    """
    local_count(text)
    try:
        from l2r.cluster.opening import opened  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigError(
            f"--cluster {text}: dask.distributed is not installed; pip install 'regatta[cluster]'"
        ) from None
    return opened(text, gpus)
