"""What every network of the catalogue does."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn

from l2r.grid import GridRule
from models.networks.base import InvertibleModel, NetworkConfig, RegistrationModel
from models.networks.blocks import FieldHead
from models.networks.catalog import ModelConfig
from models.networks.gradicon.network import UniGradIconConfig
from models.networks.gradicon.unet import UNetSizes
from models.networks.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.networks.transmorph.sizes import ClassicSizes, LumirSizes
from models.networks.transmorph.tm_tvf import TmTvfConfig, TmTvfLddmmConfig
from models.networks.vit_v_net import VitVNetConfig, VitVNetSizes
from models.networks.voxelmorph.lumir import VoxelMorph1Config, VoxelMorph2Config
from models.networks.voxelmorph.package import VoxelMorphConfig
from models.weights.load import build_network, load_weights

UNION, *_ = get_args(ModelConfig)

FOUR_LEVELS = ClassicSizes(
    embed_dim=8, depths=(2, 1, 1, 1), heads=(2, 2, 2, 2), window=(2, 3, 3), head_channels=4
)

SMALLER = {
    TransMorphLumirConfig: TransMorphLumirConfig(
        sizes=LumirSizes(
            embed_dim=8, depths=(2, 1, 1), heads=(2, 2, 2), time_steps=3, head_channels=4
        )
    ),
    TransMorphIxiConfig: TransMorphIxiConfig(sizes=FOUR_LEVELS),
    TransMorphOasisConfig: TransMorphOasisConfig(sizes=FOUR_LEVELS),
    TmTvfConfig: TmTvfConfig(sizes=FOUR_LEVELS, time_steps=3),
    TmTvfLddmmConfig: TmTvfLddmmConfig(sizes=FOUR_LEVELS, time_steps=2),
    VoxelMorph1Config: VoxelMorph1Config(encoder=(4, 8, 8, 8), decoder=(8, 8, 8, 8), extras=(8, 4)),
    VoxelMorph2Config: VoxelMorph2Config(encoder=(4, 8, 8, 8), decoder=(8, 8, 8, 8), extras=(8, 8)),
    VoxelMorphConfig: VoxelMorphConfig(encoder=(4, 8, 8, 8), decoder=(8, 8, 8, 8), extras=(8, 4)),
    VitVNetConfig: VitVNetConfig(
        shape=(32, 32, 64),
        sizes=VitVNetSizes(
            encoder_channels=(4, 8, 8),
            hidden=24,
            layers=2,
            heads=4,
            mlp=40,
            widest=16,
            decoder_channels=(12, 8, 8, 8, 8),
        ),
    ),
    UniGradIconConfig: UniGradIconConfig(
        shape=(20, 24, 36), sizes=UNetSizes(down=(4, 8, 16), up=(4, 6, 12))
    ),
}
"""Stand-ins for networks that are too slow at their usual size."""

CONFIGS = [SMALLER.get(kind) or kind() for kind in get_args(UNION)]
configs = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)


def built(config: ModelConfig) -> RegistrationModel:
    torch.manual_seed(0)
    return config.build()


def some_images(model: RegistrationModel, batch: int = 1) -> tuple[Tensor, Tensor]:
    """Two volumes whose axes differ and suit the model."""
    shape = model.grid.nearest((20, 24, 40))
    random = torch.Generator().manual_seed(3)
    fixed, moving = torch.rand((2, batch, 1, *shape), generator=random)
    return fixed, moving


def awake(config: ModelConfig) -> RegistrationModel:
    """With heads that move something by a voxel or so."""
    model = built(config).eval()
    heads = [part for part in model.modules() if isinstance(part, FieldHead)]
    for head in heads:
        nn.init.normal_(head.weight, std=0.05)
    with torch.no_grad():
        farthest = model(*some_images(model)).abs().max()
        for head in heads:
            head.weight.div_(farthest)
    return model


@configs
def test_there_is_a_displacement_for_every_voxel(config: ModelConfig) -> None:
    model = awake(config)
    fixed, moving = some_images(model)
    field = model(fixed, moving)
    assert field.shape == (1, 3, *fixed.shape[2:])
    assert field.dtype == torch.float32
    assert field.isfinite().all()


@configs
def test_an_untrained_network_leaves_the_image_where_it_is(config: ModelConfig) -> None:
    model = built(config).eval()
    with torch.inference_mode():
        assert model(*some_images(model)).abs().max() < 0.01


@configs
def test_the_same_images_give_the_same_field(config: ModelConfig) -> None:
    model = awake(config)
    images = some_images(model)
    before = [image.clone() for image in images]
    with torch.inference_mode():
        assert torch.equal(model(*images), model(*images))
    assert all(map(torch.equal, images, before))


@configs
def test_a_pair_in_a_batch_gets_the_field_that_it_gets_alone(config: ModelConfig) -> None:
    model = awake(config)
    fixed, moving = some_images(model, batch=2)
    with torch.inference_mode():
        together = model(fixed, moving)
        alone = [model(fixed[i : i + 1], moving[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-3, rtol=0)
    if config.name != "identity":
        assert (alone[0] - alone[1]).abs().max() > 0.1


@configs
def test_gradients_reach_every_parameter_that_is_used(config: ModelConfig) -> None:
    model = awake(config).train()  # a head that is zero at first lets no gradient through
    torch.manual_seed(0)
    fixed, moving = some_images(model, batch=2)
    field = model(fixed, moving)
    if not field.requires_grad:
        assert not list(model.parameters())
        return
    (field * torch.randn_like(field)).sum().backward()
    for name, parameter in model.named_parameters():
        if name.startswith(model.unused):
            assert parameter.grad is None
        else:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


@configs
def test_half_precision_changes_a_field_by_little(config: ModelConfig) -> None:
    model = awake(config)
    images = some_images(model)
    with torch.inference_mode():
        field = model(*images)
        with torch.autocast("cpu", torch.bfloat16):
            half = model(*images)
    assert half.dtype == torch.float32
    if config.name != "identity":
        assert field.square().mean().sqrt() > 0.1
        assert (half - field).square().mean() < 0.01 * field.square().mean()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@configs
def test_a_gpu_gives_the_field_that_a_cpu_gives(config: ModelConfig) -> None:
    model = awake(config)
    images = some_images(model)
    with torch.inference_mode():
        expected = model(*images)
        found = model.cuda()(*(image.cuda() for image in images))
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), expected, atol=1e-2, rtol=0)


@configs
def test_recomputed_activations_change_no_gradient(config: ModelConfig) -> None:
    if isinstance(config, NetworkConfig):
        plain = trained_once(config)
        assert plain
        recomputed = trained_once(config.model_copy(update={"recompute": True}))
        torch.testing.assert_close(recomputed, plain)


@configs
def test_recomputing_keeps_less(config: ModelConfig) -> None:
    if isinstance(config, NetworkConfig):
        plain, recomputed = (
            kept_for_backward(awake(config.model_copy(update={"recompute": on})).train())
            for on in (False, True)
        )
        assert recomputed < 0.75 * plain


@configs
def test_a_network_without_gradients_recomputes_nothing(
    config: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    if isinstance(config, NetworkConfig):
        model = built(config.model_copy(update={"recompute": True}))
        monkeypatch.setattr("models.networks.recompute.checkpoint", refuse)
        with torch.no_grad():
            model.eval()(*some_images(model))


@configs
def test_it_runs_in_double_precision_too(config: ModelConfig) -> None:
    model = awake(config)
    images = some_images(model)
    with torch.inference_mode():
        single = model(*images)
        double = model.double()(*(image.double() for image in images))
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, atol=1e-4, rtol=0)


def kept_for_backward(model: RegistrationModel) -> int:
    """Bytes that a forward pass leaves for the backward pass."""
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(*some_images(model))
    return sum(sizes.values())


def trained_once(config: NetworkConfig) -> dict[str, Tensor]:
    """Gradients and statistics after one pass in training mode."""
    model = awake(config).train()
    torch.manual_seed(1)
    model(*some_images(model, batch=2)).square().mean().backward()
    gradients = {name: value.grad for name, value in model.named_parameters()}
    used = {name: value for name, value in gradients.items() if value is not None}
    return used | dict(model.named_buffers())


@configs
def test_a_field_and_its_inverse_come_together(config: ModelConfig) -> None:
    model = awake(config)
    if isinstance(model, InvertibleModel):
        images = some_images(model)
        with torch.inference_mode():
            field, inverse = model.forward_and_inverse(*images)
            assert torch.equal(field, model(*images))
        assert inverse.shape == field.shape
        assert not torch.equal(inverse, field)


@configs
def test_a_grid_that_is_not_allowed_is_refused(config: ModelConfig) -> None:
    model = built(config)
    if model.grid != GridRule():
        fixed, moving = some_images(model)
        with pytest.raises(ValueError, match=r"(nearest is|must be) \("):
            model(fixed[..., :-1], moving[..., :-1])


@pytest.mark.slow
def test_networks_compile_into_one_graph() -> None:
    """In a process of its own, as the checks of shapes while testing would break the graph."""
    code = (
        "import torch\n"
        "from tests.models.networks.test_conformance import CONFIGS, awake, some_images\n"
        "for config in CONFIGS:\n"
        "    model = awake(config)\n"
        "    compiled = torch.compile(model, backend='eager', fullgraph=True)\n"
        "    with torch.no_grad():\n"
        "        images = some_images(model)\n"
        "        torch.testing.assert_close(compiled(*images), model(*images))\n"
        "    torch.compiler.reset()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


@configs
def test_weights_survive_the_way_through_a_file(config: ModelConfig, tmp_path: Path) -> None:
    source, path = awake(config), tmp_path / "weights.safetensors"
    save_file(source.state_dict(), path)
    torch.manual_seed(1)
    model = config.build().eval()
    images = some_images(model)
    with torch.inference_mode():
        if config.name != "identity":
            assert not torch.equal(model(*images), source(*images))
        load_weights(model, path)
        assert torch.equal(model(*images), source(*images))


@configs
def test_a_config_survives_the_way_through_json(config: ModelConfig) -> None:
    assert TypeAdapter(ModelConfig).validate_json(config.model_dump_json()) == config


def test_a_config_with_weights_builds_the_trained_network(tmp_path: Path) -> None:
    config = SMALLER[TransMorphLumirConfig]
    source, path = built(config), tmp_path / "weights.safetensors"
    save_file(source.state_dict(), path)
    torch.manual_seed(2)
    trained = build_network(config.model_copy(update={"weights": path}))
    torch.testing.assert_close(dict(trained.state_dict()), dict(source.state_dict()))


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="'identity', 'transmorph_lumir', 'transmorph_ixi'"):
        TypeAdapter(ModelConfig).validate_python({"name": "transmorf"})
