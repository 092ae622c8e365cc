import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from l2r.errors import WeightsError
from models.networks.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.networks.transmorph.sizes import LumirSizes
from models.weights.file import read_checkpoint
from models.weights.load import load_weights
from tests.models.weights.attack import Attack


class Tiny(nn.Module):
    """Has parameters, a buffer and a scalar count, as real networks have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 2, 1)
        self.norm = nn.BatchNorm3d(2)


@pytest.fixture
def model() -> Tiny:
    return Tiny()


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    source = Tiny()
    nn.init.normal_(source.norm.running_mean)
    source.norm.num_batches_tracked += 5
    return dict(source.state_dict())


def assert_loaded(model: nn.Module, state: dict[str, Tensor]) -> None:
    torch.testing.assert_close(dict(model.state_dict()), state, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["w.pth.tar", "w.pth", "w.pt", "w.trch"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_bare_state_is_loaded(
    model: Tiny, state: dict[str, Tensor], tmp_path: Path, name: str, zipped: bool
) -> None:
    torch.save(state, tmp_path / name, _use_new_zipfile_serialization=zipped)
    load_weights(model, tmp_path / name)
    assert_loaded(model, state)


def test_safetensors_are_loaded(model: Tiny, state: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(state, tmp_path / "w.safetensors")
    load_weights(model, tmp_path / "w.safetensors")
    assert_loaded(model, state)


def test_the_official_container_is_loaded(
    model: Tiny, state: dict[str, Tensor], tmp_path: Path
) -> None:
    """As the baseline saves it: with its optimiser, its index grids, and from several GPUs."""
    optimiser = torch.optim.AdamW(model.parameters(), amsgrad=True)
    model.conv(torch.ones(1, 1, 1, 1, 1)).sum().backward()
    optimiser.step()
    grids = {"spatial_trans.grid": torch.zeros(1, 3, 4, 4, 4)}
    published = OrderedDict((f"module.{name}", value) for name, value in (state | grids).items())
    path = tmp_path / "baseline.pth.tar"
    torch.save({"state_dict": published, "optimizer": optimiser.state_dict()}, path)
    load_weights(model, path)
    assert_loaded(model, state)


def test_a_container_with_more_in_it_is_loaded(
    model: Tiny, state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "w.pth"
    torch.save({"epoch": 3, "state_dict": state, "best_dsc": 0.7, "name": "x"}, path)
    load_weights(model, path)
    assert_loaded(model, state)


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model_state"])
def test_a_record_says_what_else_a_container_held(
    state: dict[str, Tensor], tmp_path: Path, key: str
) -> None:
    path = tmp_path / "w.pth"
    grids = {"module.up.grid": torch.zeros(2)}
    torch.save({"epoch": 3, key: {**state, **grids}, "optimizer": {"state": {}}}, path)
    held = read_checkpoint(path)
    assert (held.container, held.others) == (key, ("epoch", "optimizer"))
    assert held.grids == ("module.up.grid",)
    torch.testing.assert_close(held.state, state, rtol=0, atol=0)


def test_an_error_says_how_the_weights_differ(
    model: Tiny, state: dict[str, Tensor], tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    del state["conv.bias"]
    state["conv.weight"] = torch.zeros(3, 1, 1, 1, 1)
    state |= {f"flow.{letter}": torch.zeros(1) for letter in "abcdef"}
    path = tmp_path / "w.pt"
    torch.save(state, path)
    with pytest.raises(WeightsError) as caught:
        load_weights(model, path)
    assert str(caught.value) == (
        f"{path}: does not fit Tiny: 1 missing (conv.bias); "
        "6 unexpected (flow.a, flow.b, flow.c, ...); "
        "1 of another shape (conv.weight (3, 1, 1, 1, 1) for (2, 1, 1, 1, 1)); "
        "give the weights of this network or its sizes in the model's configuration"
    )
    assert_loaded(model, before)


def test_an_error_says_which_network_the_weights_fit(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(TransMorphOasisConfig(sizes="tiny").build().state_dict(), path)
    message = error_for(TransMorphIxiConfig(sizes="tiny").build(), path)
    assert "does not fit TransMorphIxi: 2 missing (up4.conv1.0.weight" in message
    assert message.endswith('; it fits model name = "transmorph_oasis" with sizes = "tiny"')


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_numbers_of_another_precision_become_the_networks(
    model: Tiny, state: dict[str, Tensor], tmp_path: Path, kind: torch.dtype
) -> None:
    kept = {name: v.to(kind) if v.is_floating_point() else v for name, v in state.items()}
    save_file(kept, tmp_path / "w.safetensors")
    load_weights(model, tmp_path / "w.safetensors")
    assert model.conv.weight.dtype == torch.float32
    assert model.norm.num_batches_tracked == 5
    torch.testing.assert_close(dict(model.state_dict()), state, rtol=1e-2, atol=0)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("norm.num_batches_tracked", torch.tensor(5.0), "float32 for int64"),
        ("norm.num_batches_tracked", torch.tensor(5, dtype=torch.int32), "int32 for int64"),
        ("conv.bias", torch.ones(2, dtype=torch.int64), "int64 for float32"),
        ("conv.bias", torch.ones(2, dtype=torch.complex64), "complex64 for float32"),
    ],
)
def test_only_floating_point_numbers_are_converted(
    model: Tiny, state: dict[str, Tensor], tmp_path: Path, name: str, value: Tensor, said: str
) -> None:
    torch.save(state | {name: value}, tmp_path / "w.pth")
    assert f"1 of another type ({name} {said});" in error_for(model, tmp_path / "w.pth")


def error_for(model: nn.Module, path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load_weights(model, path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_checkpoint_is_refused_and_does_not_run(
    model: Tiny, state: dict[str, Tensor], tmp_path: Path, zipped: bool
) -> None:
    trace, path = tmp_path / "trace", tmp_path / "w.pth"
    content = {"state_dict": state, "optimizer": Attack(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert "refused: it asks for 'posix.system'" in error_for(model, path)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists(), "the attack must work where nothing is done against it"


def test_a_malicious_pickle_is_refused_and_does_not_run(model: Tiny, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "w.pth.tar"
    path.write_bytes(pickle.dumps(Attack(trace)))
    assert "not a weights file" in error_for(model, path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("w.pth", b""),
        ("w.pth", b"PK\x03\x04 and then nothing"),
        ("w.pt", b"<html>404</html>"),
        ("w.safetensors", b""),
        ("w.safetensors", b"<html>404</html>"),
    ],
)
def test_what_is_no_weights_file_is_refused(
    model: Tiny, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert "damaged, cut off or not a weights file" in error_for(model, tmp_path / name)


@given(data=st.data(), kind=st.sampled_from(["zip.pth", "old.pth", "w.safetensors"]))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_refused_or_still_fits(
    data: st.DataObject, kind: str, model: Tiny, state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / kind
    if kind == "w.safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip.pth")
    content = bytearray(path.read_bytes())
    end = data.draw(st.integers(0, len(content)))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[:end] if data.draw(st.booleans()) else content)
    try:
        load_weights(model, path)
    except WeightsError as refusal:
        assert str(refusal).startswith(f"{path}: ")  # noqa: PT017 (either outcome is right)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (torch.zeros(2), "holds no state_dict but a Tensor"),
        ({"epoch": 3}, "holds more than tensors: epoch"),
        ({"state_dict": {}}, "7 missing"),
    ],
)
def test_a_file_without_a_state_is_refused(
    model: Tiny, tmp_path: Path, content: object, said: str
) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=said):
        load_weights(model, tmp_path / "w.pth")


@pytest.mark.parametrize(
    "odd",
    [
        torch.ones(2).to_sparse(),
        torch.zeros(1).expand(10**12),
        torch.zeros(2, device="meta"),
    ],
    ids=["sparse", "larger than its memory", "without memory"],
)
def test_tensors_that_are_no_plain_arrays_are_refused(
    model: Tiny, state: dict[str, Tensor], tmp_path: Path, odd: Tensor
) -> None:
    torch.save(state | {"conv.bias": odd}, tmp_path / "w.pth")
    assert "no plain arrays: conv.bias" in error_for(model, tmp_path / "w.pth")


def test_names_with_line_breaks_are_told_in_one_line(
    model: Tiny, state: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(state | {"a\nerror: b": torch.ones(1)}, tmp_path / "w.pth")
    assert r"1 unexpected ('a\nerror: b')" in error_for(model, tmp_path / "w.pth")


def test_a_missing_file_is_refused(model: Tiny, tmp_path: Path) -> None:
    assert "no such weights file" in error_for(model, tmp_path / "w.pth")
    assert "no such weights file" in error_for(model, tmp_path)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_that_cannot_be_read_is_told(
    model: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def failing(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / name).touch()
    monkeypatch.setattr(Path, "open", failing)
    assert error_for(model, tmp_path / name).endswith("cannot be read: Permission denied")


def test_a_name_of_another_kind_is_refused(model: Tiny, tmp_path: Path) -> None:
    (tmp_path / "w.onnx").write_bytes(b"x")
    assert ".safetensors, .pth.tar" in error_for(model, tmp_path / "w.onnx")


def test_weights_of_another_window_are_refused_and_their_window_named(tmp_path: Path) -> None:
    """Names and shapes are the same, only the tables of relative positions differ."""
    sizes = {"embed_dim": 8, "depths": (1, 1, 1), "heads": (2, 2, 2), "time_steps": 1}
    upright, lying = (
        TransMorphLumirConfig(sizes=LumirSizes(window=window, **sizes)).build()
        for window in ((2, 3, 3), (3, 2, 3))
    )
    save_file(upright.state_dict(), tmp_path / "w.safetensors")
    load_weights(upright, tmp_path / "w.safetensors")
    save_file(lying.state_dict(), tmp_path / "w.safetensors")
    message = error_for(upright, tmp_path / "w.safetensors")
    assert "3 of other values (transformer" in message
    assert 'it fits model name = "transmorph_lumir" with sizes = {' in message
    assert "window = [3, 2, 3]" in message


@pytest.mark.parametrize("kept", [10, 1000, 5000, 9000])
def test_a_checkpoint_that_was_cut_off_is_called_so(tmp_path: Path, kept: int) -> None:
    torch.save({"weight": torch.zeros(4000)}, tmp_path / "w.pth")
    whole = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "w.pth").write_bytes(whole[:kept])
    with pytest.raises(WeightsError, match="damaged, cut off or not a weights file"):
        load_weights(torch.nn.Linear(1, 1), tmp_path / "w.pth")
