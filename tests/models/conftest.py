"""Vectors made by the published code: small ones in `tests/golden`, others in `REGATTA_SHARED`."""

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


SHIPPED = Path(__file__).parents[1] / "golden"


@pytest.fixture
def golden_file(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Finds a file of golden vectors; skips the test where this clone does not have it."""

    def find(name: str) -> Path:
        if (SHIPPED / name).is_file():
            return SHIPPED / name
        shared: Path = request.getfixturevalue("shared")
        return shared / "reference" / "golden" / name

    return find


@pytest.fixture
def golden(golden_file: Callable[[str], Path]) -> Golden:
    """Reads the tensors of a set of vectors by its name."""
    return lambda name: load_file(golden_file(f"{name}.safetensors"))


@pytest.fixture
def described(golden_file: Callable[[str], Path]) -> Described:
    """Reads the description of a set of vectors by its name."""
    return lambda name: json.loads(golden_file(f"{name}.json").read_text())


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of torch's threads for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
