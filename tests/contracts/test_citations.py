"""A methods paragraph knows every word that a run file may hold."""

from typing import Any, get_args

import pytest

from eval.inspection.methods import load_citations
from models.losses.catalog import Regulariser, Similarity
from models.networks.catalog import ModelConfig
from models.optim.combine import Combine
from models.optim.optimisers import Optimiser
from models.spatial.parametrisation import Parametrisation


def words(union: Any) -> set[str]:
    """Names of the members of a catalog."""
    found = set()
    for member in get_args(get_args(union)[0]):
        nested = get_args(member)  # a union of which another one is a part
        found |= words(member) if nested else {member.model_fields["name"].default}
    return found


@pytest.mark.parametrize(
    ("group", "union"),
    [
        ("networks", ModelConfig),
        ("similarities", Similarity),
        ("regularisers", Regulariser),
        ("parametrisations", Parametrisation),
        ("optimisers", Optimiser),
        ("combinations", Combine),
    ],
)
def test_every_word_of_a_catalog_is_known(group: str, union: Any) -> None:
    assert words(union) <= set(getattr(load_citations(), group))
