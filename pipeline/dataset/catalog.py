"""Every converter by its word; the word is the task's too."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pipeline.dataset import ixi, lpba40, mindboggle, oasis
from pipeline.dataset.choice import SplitChoice
from pipeline.dataset.subjects import SplitPlan


class Converter(NamedTuple):
    """A data set that can be converted."""

    name: str
    """Begins the name of the pair list."""
    plan: Callable[[Path, SplitChoice], SplitPlan]


CONVERTERS = {
    "ixi": Converter("IXI", ixi.plan),
    "lpba40": Converter("LPBA40", lpba40.plan),
    "mindboggle": Converter("Mindboggle", mindboggle.plan),
    "oasis": Converter("OASIS", oasis.plan),
}
