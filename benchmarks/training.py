"""Steps of training files on the sample, and how fast synthetic pairs are made.

python -m benchmarks.training FILES... [--maps LABEL_MAPS] [--device cuda] [--threads 1]

Waiting: for files to be read. Making: pairs from what was read, on the device. Networks begin
without weights. Label maps are needed by files with synthetic pairs.
"""

import argparse
import json
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.machine import describe
from l2r.grid import GridRule
from l2r.task import load_task
from models.training.cache import Cache
from models.training.config import TrainConfig, load_training
from models.training.dataset import Dataset
from models.training.distributed import DistributedContext
from models.training.guidance.guide import Guide, build_pseudo_labellers
from models.training.loader import Loader
from models.training.memory import peak_memory_gib
from models.training.sampling import PairPreprocessor
from models.training.step import TrainStep
from models.training.synthesis.config import Synthesis
from pipeline.train.build_dataset import build_dataset
from pipeline.train.command import working_grids
from pipeline.train.data import find_data

SAMPLE = Path(__file__).parents[1] / "sample" / "imagesVal"


def source(config: TrainConfig, rule: GridRule, maps: Path | None, folder: Path) -> Dataset:
    """Make the pairs of a training file, with everything decoded."""
    wants_maps = isinstance(config.data, Synthesis)
    wants_images = not isinstance(config.data, Synthesis) or config.data.real > 0
    data = find_data(SAMPLE if wants_images else None, maps=maps if wants_maps else None)
    labels = config.objective.label_weight is not None
    known = {"labels": labels, "structures": config.data.structures, "shrink": config.shrink}
    preprocessor = PairPreprocessor(load_task(config.task), rule, Cache(folder), **known)
    generator = build_dataset(config, data, preprocessor)
    for number in range(len(generator)):
        generator.read(0, number)
    return generator


def seconds(device: torch.device) -> float:
    """Now, with everything done that was begun."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def measure_steps(
    path: Path, maps: Path | None, steps: int, device: torch.device
) -> dict[str, float]:
    """Seconds of steps after the first one, shares of them, and the peak memory."""
    config = load_training(path)
    model = config.model.build().to(device)
    with TemporaryDirectory() as folder:
        made, alone = (
            source(config, working_grids(model, config), maps, Path(folder)),
            DistributedContext(device=device),
        )
        guide = Guide(config, build_pseudo_labellers(config, device)) if config.guidance else None
        loader, train_step = Loader(made, config, alone), TrainStep(config, model, alone, guide)
        train_step.objective.train()
        total = coming = waited = 0.0
        news = (item for epoch in count() for item in loader.batches(epoch))
        for step in range(steps + 1):
            began = seconds(device)
            cases, waiting = next(news)
            ready = seconds(device)
            if guide is not None:
                guide.start_step(_guided_epoch(config), step)
            train_step(cases, 0, 0, step, 0)
            if step:
                total += seconds(device) - began
                coming, waited = coming + ready - began, waited + waiting
    return {
        "step": total / steps,
        "pairs": steps * loader.samples / total,
        "waiting": waited / total,
        "making": (coming - waited) / total,
        "gib": peak_memory_gib(device),
    }


def _guided_epoch(config: TrainConfig) -> int:
    """The first epoch in which a teacher teaches."""
    return min(term.when.after for term in config.guidance)


def measure_synthesis(
    shrink: int, maps: Path, steps: int, device: torch.device
) -> dict[str, float]:
    """Pairs per second with the labels of a file, none of which is trained on."""
    text = {"model": {"name": "voxelmorph"}, "epochs": 1, "passes": [shrink], "task": "aseg"}
    data = {"kind": "synthesis", "pairs": steps + 1, "structures": range(2, 32)}
    config = TrainConfig.model_validate(text | {"data": data, "objective": {"label_weight": 1}})
    with TemporaryDirectory() as folder:
        made = source(config, GridRule(), maps, Path(folder))
        made.read(0, 0)(device)
        began = seconds(device)
        for number in range(1, steps + 1):
            made.read(0, number)(device)
        return {"pairs": steps / (seconds(device) - began), "gib": peak_memory_gib(device)}


def in_a_process(words: list[str], job: str) -> dict[str, float]:
    """Measure in a process of its own, so that the peak memory is its own."""
    command = [sys.executable, "-m", "benchmarks.training", *words, "--job", job]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main() -> None:
    """A row per file and per resolution."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--maps", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    if given.job in {"1", "2"}:
        print(json.dumps(measure_synthesis(int(given.job), given.maps, given.steps, device)))
    elif given.job:
        print(json.dumps(measure_steps(Path(given.job), given.maps, given.steps, device)))
    else:
        words = sys.argv[1:]
        print(describe(), "\n")
        print(
            "| what | pairs per s | peak GiB | waiting | making |\n| --- | --- | --- | --- | --- |"
        )
        for shrink in ("2", "1") if given.maps else ():
            found = in_a_process(words, shrink)
            row = f"synthesis, shrink {shrink} | {found['pairs']:.2f} | {found['gib']:.2f} | | "
            print(f"| {row} |", flush=True)
        for path in given.files:
            found = in_a_process(words, str(path))
            row = f"{path.stem} | {found['pairs']:.3f} | {found['gib']:.2f} "
            shares = f"{found['waiting']:.1%} | {found['making']:.1%}"
            print(f"| {row}| {shares} |", flush=True)


if __name__ == "__main__":
    main()
