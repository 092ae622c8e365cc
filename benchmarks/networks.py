"""Seconds and memory of one forward pass of every network, and of a plain transcription of it.

python -m benchmarks.networks [name ...] [--device cuda]

The plain transcription is the same graph with the operations that published code has: stacks that
are made before they are convolved, attention in three steps, one call of grid_sample, interpolate.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import get_args
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import describe
from models.networks.base import NetworkConfig, RegistrationModel
from models.networks.catalog import ModelConfig
from pipeline.register.predict import arrange_for

KINDS = get_args(get_args(ModelConfig)[0])
CONFIGS = {kind().name: kind() for kind in KINDS if kind.trainable}
LUMIR = (160, 224, 192)
WAYS = ("plain float32", "float32", "bfloat16")


def cat_and_conv(conv: nn.Conv3d, first: Tensor, second: Tensor) -> Tensor:
    """Concatenate and convolve, which `models.networks.blocks.conv_stacked` avoids."""
    return conv(torch.cat([first, second], dim=1))


def attention(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """Three steps, with the products of all tokens in memory."""
    products = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    if attn_mask is not None:
        products = products + attn_mask
    return products.softmax(dim=-1) @ v


def sample(image: Tensor, grid: Tensor, mode: str, padding: str, *, align_corners: bool) -> Tensor:
    """One call for the whole volume."""
    return functional.grid_sample(image.to(grid.dtype), grid, mode, padding, align_corners)


def upsample(field: Tensor, factor: int = 2) -> Tensor:
    """By torch's interpolation."""
    return factor * functional.interpolate(field, scale_factor=factor, mode="trilinear")


PLAIN: dict[str, Callable[..., Tensor]] = {
    "conv_stacked": cat_and_conv,
    "scaled_dot_product_attention": attention,
    "_sample": sample,
    "upsample_field": upsample,
}


@contextmanager
def as_published() -> Iterator[None]:
    """Puts the plain operations in place of ours, in every module that uses them."""
    modules = [value for name, value in sys.modules.items() if name.startswith("models.")]
    with ExitStack() as stack:
        for module in [*modules, functional]:
            for name in PLAIN.keys() & vars(module).keys():
                stack.enter_context(patch.object(module, name, PLAIN[name]))
        yield


def shape_of(model: RegistrationModel) -> tuple[int, int, int]:
    """LUMIR's grid, or the only one that the network has."""
    return model.grid.nearest(LUMIR)


def operations(config: NetworkConfig) -> float:
    """10^12 floating-point operations of the convolutions and products of the published graph."""
    # There is no autocast on meta, where nothing is computed.
    without = patch("torch.autocast", lambda *_, **__: ExitStack())
    with torch.device("meta"), as_published(), without, torch.no_grad():
        model = config.build().eval()
        images = torch.empty(2, 1, 1, *shape_of(model))
        with FlopCounterMode(display=False) as counter:
            model(*images)
    return counter.get_total_flops() / 1e12


def measure(name: str, way: str, device: str) -> dict[str, float]:
    """Mean seconds after the first pass, and the peak memory of the process or of the device."""
    torch.manual_seed(0)
    model = CONFIGS[name].build().eval().to(device)
    if not way.startswith("plain"):
        arrange_for(torch.device(device), model)
    fixed, moving = torch.rand(2, 1, 1, *shape_of(model), device=device)
    half = torch.autocast(device, torch.bfloat16, enabled=way == "bfloat16")
    seconds = []
    with torch.inference_mode(), half, as_published() if way.startswith("plain") else ExitStack():
        for _ in range(2 if device == "cpu" else 11):
            start = time.perf_counter()
            model(fixed, moving).sum().item()
            seconds.append(time.perf_counter() - start)
    if device == "cuda":
        peak = torch.cuda.max_memory_allocated()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": statistics.mean(seconds[1:]), "gib": peak / 2**30}


def main(names: list[str], device: str) -> None:
    """Each network and way in a process of its own, in turn."""
    print(describe(), "\n")
    print("| network | grid | 10^12 op | " + " | ".join(f"{w}: s, GiB" for w in WAYS) + " |")
    print("| --- " * (3 + len(WAYS)) + "|")
    for name in names:
        with torch.device("meta"):
            grid = "x".join(map(str, shape_of(CONFIGS[name].build())))
        cells = []
        for way in WAYS:
            words = [sys.executable, "-m", "benchmarks.networks", name]
            words += ["--way", way, "--device", device]
            out = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
            found = json.loads(out)
            cells.append(f"{found['seconds']:.2f}, {found['gib']:.2f}")
        row = [name, grid, f"{operations(CONFIGS[name]):.2f}", *cells]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(CONFIGS))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.way:
        print(json.dumps(measure(words.names[0], words.way, words.device)))
    else:
        main(words.names, words.device)
