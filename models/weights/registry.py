"""Weights by name: registries in files, without a network.

Regatta's own registry is `models/trained/registry.toml`; a second one lies in the folder that the
environment variable `REGATTA_WEIGHTS` names, for a team's own weights or those that a container
mounts. Both are only ever read. A name counts only if the file behind it has the stated hash. No
torch is needed here, so that a wrong name is reported at once.
"""

import os
from pathlib import Path
from typing import Annotated

from pydantic import RootModel, StringConstraints

from l2r.disk import sha256
from l2r.errors import WeightsError
from l2r.schema import Frozen, parse, read_toml

SAFETENSORS = ".safetensors"
SUFFIXES = (SAFETENSORS, ".pth.tar", ".pth", ".pt", ".trch", ".ckpt", ".bin", ".pkl", ".tar")
"""Endings of weights files, in any case of letters; all but the first are `torch.save`'s."""
REGISTRY = "registry.toml"
SHIPPED = Path(__file__).parents[1] / "trained"
VARIABLE = "REGATTA_WEIGHTS"

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
"""A bare key of TOML, hence never a path or the name of a file."""
Text = Annotated[str, StringConstraints(min_length=1)]


class RegistryEntry(Frozen):
    """Trained weights and where they are from."""

    file: Path
    """Relative to the registry's folder."""
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    network: dict[str, object]
    """What a run file has under `[model]`, without the weights."""
    title: Text
    source: Text
    """Who trained them and where they can be had, best as a link."""
    licence: Text


class _Entries(RootModel[dict[Name, RegistryEntry]]):
    """A registry: what its file holds."""


class RegisteredWeights(Frozen):
    """An entry with its name and its place on the disk."""

    name: str
    path: Path
    entry: RegistryEntry

    def checked(self) -> Path:
        """The path, if there is the right file.

        Raises:
            WeightsError: there is none, or its content is another.
        """
        stated, source = self.entry.sha256, self.entry.source
        where = f"weights {self.name!r}: {self.path}"
        if not self.path.is_file():
            raise WeightsError(f"{where} is not there; get it from {source}")
        found = hash_of(self.path)
        if found != stated:
            raise WeightsError(
                f"{where} has the hash {found[:12]}..., but the registry states {stated[:12]}...; "
                f"get it again from {source}"
            )
        return self.path


def find_weights(weights: Path) -> Path:
    """The file that a run file or a command line means.

    Args:
        weights: a path, if it has a folder in it or ends as weights files do; else a name.

    Raises:
        WeightsError: there is no such file or name, or the file is not the one that the name means.
    """
    found = look_up(weights)
    return found.checked() if isinstance(found, RegisteredWeights) else found


def look_up(weights: Path) -> RegisteredWeights | Path:
    """Entry of the registries under a name, or the path of a file.

    Raises:
        WeightsError: there is no such file or name.
    """
    if len(weights.parts) > 1 or weights.name.lower().endswith(SUFFIXES):
        return existing(weights)
    known, name = registered(), str(weights)
    if name not in known:
        names = f"which know {', '.join(sorted(known))}" if known else "which are empty"
        raise WeightsError(
            f"weights {name!r}: neither a file, whose name would end in {', '.join(SUFFIXES)}, nor "
            f"a name in the registries, {names}; {VARIABLE} can name the folder of another one"
        )
    return known[name]


def existing(path: Path) -> Path:
    """The path, if a file is there and its name is that of weights.

    Raises:
        WeightsError: it is not.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file")
    if not path.name.lower().endswith(SUFFIXES):
        known = ", ".join(SUFFIXES)
        raise WeightsError(f"{path}: not the name of a weights file, which end in {known}")
    return path


def registered() -> dict[str, RegisteredWeights]:
    """Everything in the registries, by name.

    Raises:
        WeightsError: a registry is missing or faulty, or both have a name.
    """
    known = _read(SHIPPED)
    if folder := os.environ.get(VARIABLE):
        more = _read(Path(folder))
        if twice := sorted(known.keys() & more.keys()):
            raise WeightsError(
                f"{Path(folder) / REGISTRY}: {twice[0]!r} is in Regatta's own registry too; "
                "give it another name"
            )
        known |= more
    return known


def hash_of(path: Path) -> str:
    """Hash of a weights file, in hexadecimal.

    Raises:
        WeightsError: it cannot be read.
    """
    try:
        return sha256(path)
    except OSError as cause:
        raise WeightsError(f"{path}: cannot be read: {cause.strerror or cause}") from None


def _read(folder: Path) -> dict[str, RegisteredWeights]:
    path = folder / REGISTRY
    if not path.is_file():
        raise WeightsError(f"{path}: no such registry; {VARIABLE} must name a folder with one")
    entries = parse(_Entries, read_toml(path, WeightsError), str(path), WeightsError)
    return {
        name: RegisteredWeights(name=name, path=folder / entry.file, entry=entry)
        for name, entry in entries.root.items()
    }
