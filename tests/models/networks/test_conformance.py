"""Properties of every network of the catalogue."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save_file
from torch import Tensor

from l2r.grid import GridRule
from models.networks.base import InvertibleModel, NetworkConfig, RegistrationModel
from models.networks.catalog import ModelConfig
from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.weights.load import build_network, load_weights
from tests.models.networks.small_networks import CONFIGS, SMALLER, awake, built, some_images


def each_of(chosen: Iterable[ModelConfig]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("config", chosen, ids=lambda config: config.name)


TRAINABLE = [config for config in CONFIGS if config.trainable]
INVERTIBLE = [config for config in CONFIGS if isinstance(config.build(), InvertibleModel)]
CHOOSY = [config for config in CONFIGS if config.build().grid != GridRule()]
"""Networks that do not work on every grid."""
configs, trainable, invertible, choosy = map(each_of, (CONFIGS, TRAINABLE, INVERTIBLE, CHOOSY))


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


@trainable
def test_other_images_get_another_field(config: ModelConfig) -> None:
    model = awake(config)
    fixed, moving = some_images(model, batch=2)
    with torch.inference_mode():
        first, second = (model(fixed[i : i + 1], moving[i : i + 1]) for i in range(2))
    assert (first - second).abs().max() > 0.1


@trainable
def test_gradients_reach_every_parameter_that_is_used(config: ModelConfig) -> None:
    model = awake(config).train()  # a head that is zero at first lets no gradient through
    torch.manual_seed(0)
    fixed, moving = some_images(model, batch=2)
    field = model(fixed, moving)
    (field * torch.randn_like(field)).sum().backward()
    for name, parameter in model.named_parameters():
        if name.startswith(model.unused):
            assert parameter.grad is None
        else:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_the_identity_has_nothing_to_train() -> None:
    (identity,) = (config for config in CONFIGS if not config.trainable)
    assert identity.name == "identity"
    assert not list(built(identity).parameters())


@trainable
def test_half_precision_changes_a_field_by_little(config: ModelConfig) -> None:
    model = awake(config)
    images = some_images(model)
    with torch.inference_mode():
        field = model(*images)
        with torch.autocast("cpu", torch.bfloat16):
            half = model(*images)
    assert half.dtype == torch.float32
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


@trainable
def test_recomputed_activations_change_no_gradient(config: ModelConfig) -> None:
    plain = trained_once(config)
    assert plain
    recomputed = trained_once(config.model_copy(update={"recompute": True}))
    torch.testing.assert_close(recomputed, plain)


@trainable
def test_recomputing_keeps_less(config: ModelConfig) -> None:
    plain, recomputed = (
        kept_for_backward(awake(config.model_copy(update={"recompute": on})).train())
        for on in (False, True)
    )
    assert recomputed < 0.75 * plain


@trainable
def test_a_network_without_gradients_recomputes_nothing(
    config: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    model = built(config.model_copy(update={"recompute": True}))
    monkeypatch.setattr("models.networks.recompute.checkpoint", refuse)
    images = some_images(model)
    with torch.no_grad():
        assert model.eval()(*images).shape == (1, 3, *images[0].shape[2:])


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


@invertible
def test_a_field_and_its_inverse_come_together(config: ModelConfig) -> None:
    model = awake(config)
    assert isinstance(model, InvertibleModel)
    images = some_images(model)
    with torch.inference_mode():
        field, inverse = model.forward_and_inverse(*images)
        assert torch.equal(field, model(*images))
    assert inverse.shape == field.shape
    assert not torch.equal(inverse, field)


@choosy
def test_a_grid_that_is_not_allowed_is_refused(config: ModelConfig) -> None:
    model = built(config)
    fixed, moving = some_images(model)
    with pytest.raises(ValueError, match=r"(nearest is|must be) \("):
        model(fixed[..., :-1], moving[..., :-1])


@pytest.mark.slow
def test_networks_compile_into_one_graph() -> None:
    """In a process of its own, as the checks of shapes while testing would break the graph."""
    code = (
        "import torch\n"
        "from tests.models.networks.small_networks import CONFIGS, awake, some_images\n"
        "for config in CONFIGS:\n"
        "    model = awake(config)\n"
        "    compiled = torch.compile(model, backend='eager', fullgraph=True)\n"
        "    with torch.no_grad():\n"
        "        images = some_images(model)\n"
        "        torch.testing.assert_close(compiled(*images), model(*images))\n"
        "    torch.compiler.reset()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


@trainable
def test_weights_survive_the_way_through_a_file(config: ModelConfig, tmp_path: Path) -> None:
    source, path = awake(config), tmp_path / "weights.safetensors"
    save_file(source.state_dict(), path)
    torch.manual_seed(1)
    model = config.build().eval()
    images = some_images(model)
    with torch.inference_mode():
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
