"""Results of an inspection: what the index needs of every pair, small enough to be kept."""

from dataclasses import dataclass, field

from eval.inspection.measures import Flag, PairMeasures


@dataclass(frozen=True)
class StructureScore:
    """Dice of one structure."""

    label: int
    before: float
    after: float


@dataclass(frozen=True)
class FieldOutcome:
    """One submission's field for one pair."""

    submission: str
    flags: tuple[Flag, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    """Of the task's metrics, by name."""
    measures: PairMeasures | None = None
    """None where the field cannot be used."""
    structures: tuple[StructureScore, ...] = ()
    seconds: float | None = None
    """Of the run, all stages."""
    estimated_dice: float | None = None
    """By soft labels, where the run has an estimate."""

    @property
    def usable(self) -> bool:
        """True if there was a field to look at."""
        return self.measures is not None


@dataclass(frozen=True)
class PairOutcome:
    """All submissions' fields for one pair."""

    name: str
    page: str
    """Relative address of the pair's page."""
    fields: tuple[FieldOutcome, ...]
    """In the order of the submissions."""

    @property
    def order(self) -> tuple[bool, int, int, float]:
        """Sorts the worst first: unusable, by severe flags, by flags, by local correlation."""
        first = self.fields[0]
        severe = sum(flag.severe for flag in first.flags)
        after = first.measures.correlation_after if first.measures else -1.0
        return first.usable, -severe, -len(first.flags), after
