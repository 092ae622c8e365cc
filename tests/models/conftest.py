"""Vectors made by the published code, where `REGATTA_SHARED` says they are."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

Golden = Callable[[str], dict[str, Tensor]]
Described = Callable[[str], dict[str, object]]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """For volumes as small as these, threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _same_weights() -> None:
    """Networks begin alike, whatever ran before."""
    torch.manual_seed(0)


@pytest.fixture
def golden_folder(shared: Path) -> Path:
    return shared / "reference" / "golden"


@pytest.fixture
def golden(golden_folder: Path) -> Golden:
    """From the name of a set of vectors to its tensors."""
    return lambda name: load_file(golden_folder / f"{name}.safetensors")


@pytest.fixture
def described(golden_folder: Path) -> Described:
    """From the name of a set of vectors to what is said about it."""
    return lambda name: json.loads((golden_folder / f"{name}.json").read_text())


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of torch's threads for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
