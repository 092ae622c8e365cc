"""What the tests of all packages share."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from l2r.phantom import write_phantom

# The first example often pays for imports; a test that fails today must fail tomorrow.
settings.register_profile("regatta", deadline=None, derandomize=True)
settings.load_profile("regatta")

LIMITS_S = {"docker": 1800, "browser": 900, "slow": 900}
"""Longest time of a test with a mark: an image is built in the first of its tests."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests time, one process the tests that share an engine or a browser.

    Tests that need a GPU are skipped where none is.
    """
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no GPU here"))
        for mark, limit in LIMITS_S.items():
            if item.get_closest_marker(mark) is None:
                continue
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(limit))
            if mark != "slow":
                item.add_marker(pytest.mark.xdist_group(mark))


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small made-up challenge; do not write into it."""
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder)
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference vectors and real brains, where they are at hand."""
    if "REGATTA_SHARED" not in os.environ:
        pytest.skip("REGATTA_SHARED is not set: no reference data here")
    return Path(os.environ["REGATTA_SHARED"])
