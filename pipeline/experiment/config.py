"""An experiment file: systems, seeds and pairs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from l2r.errors import ConfigError
from l2r.run_files import load_run_file
from l2r.schema import Frozen


class TrainingOfSystem(Frozen):
    """A training that a system begins with; relative paths start at the experiment file."""

    file: Path
    """Training file."""
    overrides: tuple[str, ...] = Field(default=(), alias="set")
    """`key=value`, as `train --set`; the seed is added."""
    time_budget_s: PositiveFloat | None = None
    """Wall time; the weights of the last epoch that was done within it are taken."""
    weights: str = "last.safetensors"
    """File of the training that the run file's network gets: this one, or `best.safetensors`."""


class ExperimentData(Frozen):
    """Data that every training of an experiment has."""

    training: Path | None = None
    """As `train --data`."""
    maps: Path | None = None
    """As `train --maps`."""
    validation: Path | None = None
    """As `train --validation`."""


class ComparedSystem(Frozen):
    """A row of the table: a run file, after a training or without one."""

    name: str
    run: Path
    """Run file; `model.weights` becomes the training's."""
    overrides: tuple[str, ...] = Field(default=(), alias="set")
    """`key=value`, as `run --set`; the seed is added."""
    training: TrainingOfSystem | None = None


class ExperimentConfig(Frozen):
    """Everything that decides a table; relative paths start at the experiment file."""

    title: str
    task: str
    dataset: Path
    """Pairs that every system registers."""
    data: ExperimentData = ExperimentData()
    input: Path | None = None
    """Folder of the images; else that of the list."""
    split: str = "validation"
    limit: PositiveInt | None = None
    """Only the first pairs."""
    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = (0,)
    """Of the trainings; a system without one is registered once per seed all the same."""
    reference: str | None = None
    """System that the others are tested against; else the first one."""
    systems: Annotated[tuple[ComparedSystem, ...], Field(min_length=1)]

    @property
    def compared_with(self) -> str:
        """Name of the reference."""
        return self.reference or self.systems[0].name

    @model_validator(mode="after")
    def _names_are_clear(self) -> "ExperimentConfig":
        names = [system.name for system in self.systems]
        if len(set(names)) < len(names):
            raise ValueError(f"a system is named twice: {', '.join(names)}")
        if self.compared_with not in names:
            raise ValueError(f"reference {self.reference!r} is none of: {', '.join(names)}")
        if bad := [name for name in names if not name or "/" in name or name.startswith(".")]:
            raise ValueError(f"system {bad[0]!r}: its name becomes a folder's; leave out / and .")
        return self


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read an experiment file and put values in their places, with its paths made absolute.

    Raises:
        ConfigError: missing, not TOML, an unknown key, a wrong value, or a file that is not there.
    """
    config = load_run_file(ExperimentConfig, path, overrides)
    return config.model_copy(
        update={
            "dataset": _found(config.dataset, path),
            "data": _anchored_data(config.data, path),
            "input": config.input and _found(config.input, path),
            "systems": tuple(_anchored(system, path) for system in config.systems),
        }
    )


def _anchored(system: ComparedSystem, path: Path) -> ComparedSystem:
    training = system.training
    if training is not None:
        training = training.model_copy(update={"file": _found(training.file, path)})
    return system.model_copy(update={"run": _found(system.run, path), "training": training})


def _anchored_data(data: ExperimentData, path: Path) -> ExperimentData:
    places = {name: getattr(data, name) for name in ExperimentData.model_fields}
    return ExperimentData(**{name: place and _found(place, path) for name, place in places.items()})


def _found(place: Path, path: Path) -> Path:
    found = (path.parent / place.expanduser()).resolve()
    if not found.exists():
        raise ConfigError(f"{path}: {place}: no such file or folder ({found})")
    return found
