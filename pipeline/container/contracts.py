"""Contracts of organisers: how each calls a container, as the task files state it."""

from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Literal

from l2r.errors import ConfigError
from l2r.task import Task, load_task, task_names

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
        """Tell if capabilities, privileges and processes are limited, as a platform does."""
        return self.call == "sockets"


@cache
def known_contracts() -> dict[str, Contract]:
    """The contracts of all tasks that have one, by name."""
    found = (contract_of(load_task(name)) for name in task_names())
    return {contract.name: contract for contract in found if contract is not None}


def contract_of(task: Task) -> Contract | None:
    """The contract that a task's file states."""
    places = task.container
    if places is None or places.run is None:
        return None
    run = places.run
    return Contract(
        name=run.contract,
        task=task.name,
        call=run.call,
        input=places.input,
        output=places.output,
        memory_gib=run.memory_gib,
        gpu=run.gpu,
        user=run.user,
        # The platform's list is written by `pipeline.container.sockets`, into the input folder.
        dataset=places.dataset if run.call == "list" else None,
        submission=run.submission,
        model=places.model,
    )


def find_contract(name: str) -> Contract:
    """The contract of that name.

    Raises:
        ConfigError: there is none.
    """
    contracts = known_contracts()
    if name not in contracts:
        raise ConfigError(f"no contract {name!r}; there are {', '.join(sorted(contracts))}")
    return contracts[name]
