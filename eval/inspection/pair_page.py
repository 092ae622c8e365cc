"""The page of one pair: stills in the page itself, volumes in a script that the viewer loads."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from jinja2 import Environment

from eval.html import content_policy, environment, shared_text, trusted
from eval.inspection.outcome import FieldOutcome, PairOutcome
from eval.inspection.stills import Still
from eval.maps.views import PLANES, ViewPlane
from eval.plots.numbers import short

TEMPLATES = Path(__file__).with_name("templates")
_SCRIPTS = ("compare.js", "viewer.js")


@dataclass(frozen=True)
class FieldPart:
    """One submission on the page."""

    outcome: FieldOutcome
    stills: tuple[Still, ...]
    """Empty where the field cannot be used."""

    @property
    def by_key(self) -> dict[str, Still]:
        """The stills by their kinds."""
        return {still.kind.key: still for still in self.stills}


@dataclass(frozen=True)
class PairPage:
    """Everything that a pair's page shows."""

    outcome: PairOutcome
    number: int
    last: int
    images: tuple[Still, ...] = ()
    fields: tuple[FieldPart, ...] = ()
    limit_mm: float = 0.0
    """Displacement of the strongest colour."""
    extents_mm: dict[ViewPlane, tuple[float, float]] = field(default_factory=dict)
    volumes: str = ""
    """File of the viewer's volumes; empty where there are none."""


def render_pair(page: PairPage) -> str:
    """The page as HTML, which loads no other file before the viewer is opened."""
    script = "\n".join(template_text(name) for name in _SCRIPTS)
    return (
        templates()
        .get_template("pair.html")
        .render(
            page=page,
            planes=PLANES,
            style=trusted(shared_text("look.css") + template_text("report.css")),
            script=trusted(script),
            policy=content_policy(script, files=True),
        )
    )


@cache
def templates() -> Environment:
    """The templates of this folder, with the filters that they use."""
    made = environment(TEMPLATES)
    made.filters["short"] = short
    return made


@cache
def template_text(name: str) -> str:
    """A style or a script of this folder."""
    return (TEMPLATES / name).read_text(encoding="utf-8")
