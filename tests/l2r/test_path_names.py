from pathlib import Path

import pytest

from l2r.path_names import distinct_names


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/a/fields"], ["fields"]),
        (["/a/one", "/b/other"], ["one", "other"]),
        (["/a/x/fields", "/a/y/fields"], ["x/fields", "y/fields"]),
        (["/a/x/training", "/b/x/training", "/b/y"], ["a/x/training", "b/x/training", "/b/y"]),
        (["/a/same", "/a/same"], ["same (1)", "same (2)"]),
    ],
)
def test_names_are_as_long_as_it_takes(paths: list[str], names: list[str]) -> None:
    assert distinct_names([Path(path) for path in paths]) == names
