"""Every network: a forward pass and a training step, by precision, compiled and not."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import torch
from torch import Tensor

from benchmarks.gpu.record import Measurement, Row, Setting
from benchmarks.gpu.timing import measure, tf32
from benchmarks.networks import CONFIGS
from models.losses.diffusion import Diffusion
from models.losses.lncc import Lncc
from models.networks.base import RegistrationModel
from models.spatial.warp import warp

NAMES = ("pyramid", *(name for name in CONFIGS if name != "pyramid"))
"""That of the default weights first."""
PRECISIONS = ("float32", "TF32", "bfloat16")


def measurements(setting: Setting) -> Iterator[Measurement]:
    """Plain before compiled, and the network of the default weights before all others."""
    jobs = [
        (name, what, precision, compiled)
        for compiled in ((False, True) if setting.on_gpu else (False,))
        for names in (NAMES[:1], NAMES[1:])
        for what in (forward, training_step)
        for name in names
        for precision in PRECISIONS
    ]
    for name, what, precision, compiled in jobs:
        words = [name, what.__name__.replace("_", " "), precision, *["compiled"] * compiled]
        yield Measurement(
            ", ".join(words), partial(run, setting, name, what, precision, compiled=compiled)
        )


def run(
    setting: Setting,
    name: str,
    what: Callable[..., Callable[[], object]],
    precision: str,
    *,
    compiled: bool,
) -> Row:
    """One network, on images of random numbers on the grid nearest to that of the setting."""
    torch.manual_seed(0)
    model = CONFIGS[name].build().to(setting.device)
    grid = model.grid.nearest(setting.shape)
    images = torch.rand(2, 1, 1, *grid, device=setting.device)
    if compiled:
        torch.compiler.reset()
        model.compile()
    with tf32(on=precision != "float32"):
        found = measure(what(model, images, autocast(setting, precision)), setting.device)
    return {"grid": "x".join(map(str, grid)), **found}


def autocast(setting: Setting, precision: str) -> Callable[[], AbstractContextManager[object]]:
    """Autocast to bfloat16, or nothing."""
    if precision != "bfloat16":
        return ExitStack
    return lambda: torch.autocast(setting.device.type, torch.bfloat16)


def forward(
    model: RegistrationModel, images: Tensor, half: Callable[[], AbstractContextManager[object]]
) -> Callable[[], object]:
    """A field, without gradients."""
    model.eval()

    def call() -> Tensor:
        with torch.inference_mode(), half():
            return model(*images)

    return call


def training_step(
    model: RegistrationModel, images: Tensor, half: Callable[[], AbstractContextManager[object]]
) -> Callable[[], object]:
    """Local correlation and diffusion, forward and backward, and a step of Adam."""
    model.train()
    fixed, moving = images
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)
    similarity, smooth = Lncc().bind(fixed), Diffusion()

    def call() -> None:
        optimiser.zero_grad(set_to_none=True)
        with half():
            field = model(fixed, moving)
        loss = similarity(warp(moving, field.float())) + smooth(field.float())
        loss.backward()
        optimiser.step()

    return call
