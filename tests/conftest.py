"""What the tests of all packages share."""

import os
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from l2r.phantom import write_phantom

# The first example often pays for imports; a test that fails today must fail tomorrow.
settings.register_profile("regatta", deadline=None, derandomize=True)
settings.load_profile("regatta")

LIMITS_S = {"docker": 1800, "browser": 900, "slow": 900}
"""Longest time of a test with a mark: an image is built in the first of its tests."""
SHARING = (
    "tests/container/",
    "tests/eval/leaderboard/page/",
    "tests/eval/leaderboard/test_postgresql.py",
    "tests/pipeline/register/test_slurm.py",
)
"""Where tests share an engine with its images, a browser or a server."""


class OneProcessPerEngine(LoadScopeScheduling):
    """Sends every test to the next free process, but those that share an engine to one.

    `--dist loadgroup` is meant for that, but xdist 3.8 forgets its groups under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in SHARING if nodeid.startswith(place)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneProcessPerEngine:
    """Distribute tests so that an image is built once."""
    return OneProcessPerEngine(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests time, and skip those that need a GPU where none is."""
    for item in items:
        if item.get_closest_marker("gpu") and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="no GPU here"))
        for mark, limit in LIMITS_S.items():
            if item.get_closest_marker(mark) and item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(limit))


@cache
def _has_gpu() -> bool:
    import torch  # noqa: PLC0415 - tests that need none start a second earlier

    return torch.cuda.is_available()


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
