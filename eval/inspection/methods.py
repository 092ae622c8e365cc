"""A methods paragraph of a run, from its record, with the papers that it cites."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import Field

from eval.run_record import RecordedRun
from l2r.errors import ConfigError
from l2r.schema import Tolerant, parse, read_toml

CITATIONS = Path(__file__).with_name("citations.toml")


class Mention(Tolerant):
    """One word of run files in a paragraph."""

    text: str
    cite: list[str] = Field(default_factory=list)
    """Keys of papers."""


class Citations(Tolerant):
    """Words of run files by their groups, and papers by their keys."""

    networks: dict[str, Mention]
    similarities: dict[str, Mention]
    regularisers: dict[str, Mention]
    parametrisations: dict[str, Mention]
    optimisers: dict[str, Mention]
    combinations: dict[str, Mention]
    papers: dict[str, str]


@dataclass(frozen=True)
class Methods:
    """A paragraph, and its references in the order of their numbers."""

    paragraph: str
    references: tuple[str, ...]

    @property
    def text(self) -> str:
        """Both as plain text, to be copied."""
        listed = (f"[{n}] {paper}" for n, paper in enumerate(self.references, start=1))
        return "\n\n".join(filter(None, (self.paragraph, "\n".join(listed))))


@dataclass
class _Writer:
    """Sentences so far, and the papers that they cite."""

    citations: Citations
    sentences: list[str] = field(default_factory=list)
    cited: list[str] = field(default_factory=list)

    def mention(self, group: Mapping[str, Mention], part: object) -> str:
        """The words of a part of a run file, with numbers of papers; its own name if unknown."""
        name = _name(part)
        known = group.get(name)
        if known is None:
            return name.replace("_", " ")
        return known.text + self.numbers(known.cite)

    def sentence(self, group: Mapping[str, Mention], part: object) -> None:
        """Add the sentence of a part, if it has one."""
        known = group.get(_name(part))
        if known is None:
            self.sentences.append(f"{_name(part)} was used.")
        elif known.text:
            self.sentences.append(f"{known.text.removesuffix('.')}{self.numbers(known.cite)}.")

    def numbers(self, keys: Sequence[str]) -> str:
        """` [1, 2]` of some papers; nothing for none."""
        if not keys:
            return ""
        self.cited += [key for key in keys if key not in self.cited]
        return f" [{', '.join(str(1 + self.cited.index(key)) for key in keys)}]"


@cache
def load_citations() -> Citations:
    """The words and papers that come with Regatta."""
    return parse(Citations, read_toml(CITATIONS, ConfigError), str(CITATIONS), ConfigError)


def methods_of(record: RecordedRun) -> Methods:
    """Write the paragraph of a run."""
    writer = _Writer(load_citations())
    config, settings = record.settings.config, record.settings
    writer.sentences.append(
        f"Images were registered with Regatta {record.regatta}.".replace(" .", ".")
    )
    model = config.get("model", {"name": "identity"})
    writer.sentence(writer.citations.networks, model)
    for part in _tables(config.get("refine")):
        writer.sentences += _refinement(writer, part)
        writer.sentence(writer.citations.combinations, part.get("combine", {"name": "sum"}))
    writer.sentences.append(_measured(writer))
    if settings.device:
        torch = settings.versions.get("torch")
        version = f" with PyTorch {torch}" if torch else ""
        writer.sentences.append(f"Computations ran on {settings.device}{version}.")
    papers = tuple(writer.citations.papers[key] for key in writer.cited)
    return Methods(" ".join(writer.sentences), papers)


def _refinement(writer: _Writer, part: Mapping[str, object]) -> Iterator[str]:
    known, levels = writer.citations, list(_tables(part.get("levels")))
    terms = [each.get("term") for each in _tables(part.get("regularisers"))]
    steps = [_number(level.get("steps")) for level in levels] or [_number(part.get("steps"))]
    similarity = levels[-1].get("similarity") if levels else part.get("similarity")
    what = (
        writer.mention(known.parametrisations, part.get("parametrisation"))
        if part.get("parametrisation")
        else "the network's weights"
    )
    yield (
        f"Each pair was then refined by instance optimisation of {what}, over "
        f"{_counted(len(steps), 'level')} of {' + '.join(f'{n:g}' for n in steps)} steps."
    )
    compared = writer.mention(known.similarities, similarity)
    listed = [writer.mention(known.regularisers, term) for term in terms]
    smooth = f", regularised by {' and '.join(listed)}" if listed else ""
    optimiser = part.get("optimiser")
    by = f", with {writer.mention(known.optimisers, optimiser)}" if optimiser else ""
    yield f"It minimised {compared}{smooth}{by}."


def _measured(writer: _Writer) -> str:
    volume, dice = writer.numbers(["liu2024"]), writer.numbers(["dice1945"])
    return (
        f"Regularity was measured by the non-diffeomorphic volume{volume}, overlap of structures "
        f"by the Dice coefficient{dice}."
    )


def _name(part: object) -> str:
    return str(part.get("name", "unknown")) if isinstance(part, dict) else "unknown"


def _tables(parts: object) -> Iterator[dict[str, object]]:
    if isinstance(parts, list):
        yield from (part for part in parts if isinstance(part, dict))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
