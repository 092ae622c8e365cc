"""Shipped run files on pairs: seconds per stage, memory, overlap."""

import json
import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from benchmarks.gpu.record import Measurement, Row, Setting
from benchmarks.gpu.timing import measure, peak_gib
from eval.scoring import score_submission
from l2r.submission import MANIFEST, open_submission
from pipeline.register.command import register
from pipeline.register.config import load_run
from pipeline.register.request import Job, RunRequest, resolve
from pipeline.register.stages import build_stages

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
NAMES = ("t1_default", "t1_fast", "any_accurate", "t1_network", "any_default", "any_fast")
HALF = "_bfloat16"
CPU_DICE = {
    "t1_default": 0.7958,
    "t1_fast": 0.7944,
    "t1_network": 0.7897,
    "any_fast": 0.7757,
    "any_default": 0.7942,
    "any_accurate": 0.8002,
}
"""Of the first two sample pairs: `python -m benchmarks.refinements --limit 2` on a CPU."""


def measurements(setting: Setting) -> Iterator[Measurement]:
    """Default, fast and accurate first."""
    for name in NAMES:
        yield Measurement(name, partial(preset, setting, CONFIGS / f"{name}.toml"))
        if name == NAMES[0]:
            half = setting.scratch / f"{name}{HALF}.toml"
            half.write_text(f'extends = "{CONFIGS / name}.toml"\nprecision = "bfloat16"\n')
            yield Measurement(half.stem, partial(preset, setting, half))
            yield Measurement("t1_network, predict alone", partial(predict_alone, setting))


def preset(setting: Setting, config: Path) -> Row:
    """Means over two pairs, and the second one's seconds, when everything is warm."""
    if setting.on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(setting.device)
    job, _ = run(setting, config, limit=2)
    pairs = list(json.loads((job.folder / MANIFEST).read_text())["pairs"].values())
    memory = peak_gib(setting.device)
    found = {f"{stage} s": seconds for stage, seconds in pairs[-1]["seconds"].items()}
    dice = overlap(job, setting)
    known = config.stem.removesuffix(HALF) if setting.on_gpu else ""
    return {
        **found,
        "first pair s": sum(pairs[0]["seconds"].values()),
        "second pair s": sum(pairs[-1]["seconds"].values()),
        "GiB": memory,
        "Dice": dice,
        "Dice less a CPU's": dice - CPU_DICE[known] if known in CPU_DICE else "",
        "warnings": "; ".join(sorted({text for pair in pairs for text in pair["warnings"]})),
    }


def run(setting: Setting, config: Path, limit: int) -> tuple[Job, float]:
    """The main job, anew, and its seconds."""
    request = RunRequest(
        config=config,
        task=setting.task,
        dataset=setting.dataset,
        output=setting.scratch / config.stem,
        limit=limit,
    )
    job, start = resolve(request), time.monotonic()
    register(job, str(setting.device), resume=False)
    return job, time.monotonic() - start


def overlap(job: Job, setting: Setting) -> float:
    """Mean Dice of the fields; other metrics would take the GPU's time."""
    rules = job.task.evaluation
    metrics = [metric for metric in rules["metrics"] if metric["metric"] == "dice"]
    task = job.task.model_copy(update={"evaluation": {**rules, "metrics": metrics}})
    pairs = list(job.pairs.values())
    report = score_submission(open_submission(job.folder), task, pairs, setting.dataset.parent)
    (dice,) = report.scored()
    return statistics.mean(result.mean for result in report.results(dice.name))


def predict_alone(setting: Setting) -> Row:
    """The network's two passes from images on the host to a field on the device."""
    job = resolve(RunRequest(task=setting.task, dataset=setting.dataset))
    stages = build_stages(load_run(CONFIGS / "t1_network.toml"), job.task, setting.device)
    prepared = stages.prepare(next(iter(job.pairs.values())))
    return measure(lambda: stages.predict(prepared, None), setting.device)
