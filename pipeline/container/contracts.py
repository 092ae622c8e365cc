"""How each organiser calls a container, as data."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from l2r.errors import ConfigError

GIB = 1 << 30


@dataclass(frozen=True)
class Contract:
    """One organiser's `docker run`.

    None of them promises a network, and no image should need one: it is always off.
    """

    name: str
    task: str
    """Of `l2r/tasks`: the format that the fields must have."""
    call: Literal["list", "arguments", "sockets"]
    """`list`: all pairs of a mounted list in one run; `arguments`: the five paths of one pair;
    `sockets`: one pair, in the `inputs.json` of grand-challenge.org."""
    input: PurePosixPath
    output: PurePosixPath
    memory_gib: int
    gpu: bool
    user: Literal["caller", "image"]
    """`caller`: `--user $(id -u):$(id -g)`."""
    dataset: PurePosixPath | None = None
    """Where the pair list is mounted."""
    submission: str | None = None
    """Begins the name of the zip that is handed in; None where the image alone is uploaded."""
    model: PurePosixPath | None = None
    """Where weights that come beside the image are mounted."""

    @property
    def hardened(self) -> bool:
        """Whether capabilities, privileges and processes are limited, as a platform does."""
        return self.call == "sockets"


CONTRACTS = {
    contract.name: contract
    for contract in (
        Contract(
            name="lumir24",
            task="lumir24",
            call="list",
            dataset=PurePosixPath("/LUMIR_dataset.json"),
            input=PurePosixPath("/input"),
            output=PurePosixPath("/output"),
            memory_gib=16,
            gpu=False,
            user="image",
            submission="LUMIR",
        ),
        Contract(
            name="lumir25",
            task="lumir25",
            call="list",
            dataset=PurePosixPath("/app/LUMIR25_dataset.json"),
            input=PurePosixPath("/app/input"),
            output=PurePosixPath("/app/output"),
            memory_gib=256,
            gpu=True,
            user="caller",
            submission="LUMIR",
        ),
        Contract(
            name="psmareg26",
            task="psmareg26_test",
            call="arguments",
            input=PurePosixPath("/app/input"),
            output=PurePosixPath("/app/output"),
            memory_gib=60,
            gpu=True,
            user="caller",
            submission="PSMAReg",
        ),
        Contract(
            name="grand-challenge",
            task="grand_challenge",
            call="sockets",
            input=PurePosixPath("/input"),
            output=PurePosixPath("/output"),
            memory_gib=32,
            gpu=True,
            user="image",
            model=PurePosixPath("/opt/ml/model"),
        ),
    )
}


def find_contract(name: str) -> Contract:
    """The contract of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in CONTRACTS:
        raise ConfigError(f"no contract {name!r}; there are {', '.join(CONTRACTS)}")
    return CONTRACTS[name]
