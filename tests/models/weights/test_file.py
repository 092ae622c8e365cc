import argparse
import datetime as dt
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from l2r.errors import WeightsError
from models.weights.file import read_checkpoint
from tests.models.weights.attack import Attack

STATE = {"first.weight": torch.arange(6.0).view(2, 3), "second.bias": torch.ones(2)}


def prefixed(prefix: str, state: Mapping[str, Tensor] = STATE) -> dict[str, Tensor]:
    return OrderedDict((prefix + name, value) for name, value in state.items())


def saved(folder: Path, content: object, name: str = "w.pth") -> Path:
    torch.save(content, folder / name)
    return folder / name


def assert_read(path: Path, container: str) -> None:
    found = read_checkpoint(path)
    assert found.container == container
    torch.testing.assert_close(found.state, STATE, rtol=0, atol=0)


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "module.module.",
        "_orig_mod.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "model.",
        "net.",
        "network.",
        "module.model.",
        "_forward_module.",
        "_forward_module.model.",
        "_fsdp_wrapped_module.",
    ],
)
def test_what_wrappers_put_before_all_names_is_removed(prefix: str, tmp_path: Path) -> None:
    assert_read(saved(tmp_path, {"state_dict": prefixed(prefix)}), "state_dict")
    save_file(prefixed(prefix), tmp_path / "w.safetensors")
    assert_read(tmp_path / "w.safetensors", "safetensors")


def test_a_beginning_that_not_all_names_have_belongs_to_them(tmp_path: Path) -> None:
    mixed = {"net.weight": torch.ones(1), "flow.weight": torch.ones(1)}
    assert set(read_checkpoint(saved(tmp_path, mixed)).state) == set(mixed)


def test_a_common_beginning_of_an_own_name_stays(tmp_path: Path) -> None:
    state = prefixed("unet_model.")
    assert set(read_checkpoint(saved(tmp_path, state)).state) == set(state)


@pytest.mark.parametrize(
    "key",
    [
        "state_dict",
        "model_state_dict",
        "model_state",
        "model",
        "net",
        "network",
        "network_weights",
        "params",
        "weights",
        "generator",
        "regmodel",
        "ema",
        "model_ema",
        "module",
        "state",
    ],
)
def test_a_state_is_found_under_the_usual_keys(key: str, tmp_path: Path) -> None:
    path = saved(tmp_path, {key: STATE, "epoch": 1, "optimizer": {"state": {}}})
    assert_read(path, key)
    assert read_checkpoint(path).others == ("epoch", "optimizer")


def test_the_shadow_of_a_mean_of_weights_is_found(tmp_path: Path) -> None:
    path = saved(tmp_path, {"ema": {"decay": 0.99, "shadow": prefixed("module.")}})
    assert_read(path, "ema.shadow")


def test_a_state_within_a_container_is_found(tmp_path: Path) -> None:
    path = saved(tmp_path, {"epoch": 1, "model": {"state_dict": prefixed("module."), "lr": 0.1}})
    assert_read(path, "model.state_dict")
    assert read_checkpoint(path).others == ("epoch", "lr")


def test_weights_go_before_their_running_mean_which_is_reported(tmp_path: Path) -> None:
    averaged = {name: value + 1 for name, value in STATE.items()}
    path = saved(tmp_path, {"ema": averaged, "model": STATE})
    assert_read(path, "model")
    assert read_checkpoint(path).others == ("ema",)


def test_states_of_parts_are_refused_and_named(tmp_path: Path) -> None:
    message = refusal(saved(tmp_path, {"encoder": STATE, "decoder": STATE}))
    assert "holds tensors under encoder, decoder" in message
    assert "save the one that is meant" in message


def test_an_averaged_model_of_torch_is_read_without_its_counter(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    averaged = AveragedModel(model)
    averaged.update_parameters(model)
    found = read_checkpoint(saved(tmp_path, averaged.state_dict()))
    torch.testing.assert_close(found.state, dict(model.state_dict()), rtol=0, atol=0)


@pytest.mark.parametrize(
    "value",
    [
        np.float64(0.5),
        np.float32(0.5),
        np.int64(3),
        np.bool_(1),
        np.arange(3),
        np.array(["a", "b"]),
        argparse.Namespace(lr=1, path=Path("x")),
        Path("/x"),
        dt.datetime(2024, 5, 1),
        {1, 2},
        None,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("zipped", [True, False])
def test_plain_values_of_other_kinds_may_stand_beside_the_state(
    value: object, zipped: bool, tmp_path: Path
) -> None:
    path = tmp_path / "w.pth.tar"
    content = {"state_dict": STATE, "best": value}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert_read(path, "state_dict")
    assert read_checkpoint(path).others == ("best",)


@pytest.mark.parametrize(
    "name", ["w.ckpt", "w.bin", "w.pkl", "w.tar", "w.PTH", "w.pt", "w.pth.tar", "w.trch"]
)
def test_a_file_may_have_any_usual_ending(name: str, tmp_path: Path) -> None:
    assert_read(saved(tmp_path, STATE, name), "bare state")


def test_the_content_and_not_the_name_says_how_a_file_is_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.pt")
    assert_read(tmp_path / "w.pt", "safetensors")
    assert_read(saved(tmp_path, STATE, "w.safetensors"), "bare state")


@pytest.mark.parametrize("name", ["w.pth", "w.ckpt", "w.pkl", "w.bin"])
@pytest.mark.parametrize("beside", [{}, {"best": np.float64(1)}])
def test_a_file_that_would_run_something_is_refused_with_a_way_out(
    name: str, beside: dict[str, object], tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    path = saved(tmp_path, {"state_dict": STATE, **beside, "x": Attack(trace)}, name)
    message = refusal(path)
    assert "refused: it asks for 'posix.system'" in message
    assert "torch.save(model.state_dict(), path)" in message
    assert not trace.exists()


def test_a_plain_pickle_that_would_run_something_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pkl"
    path.write_bytes(pickle.dumps({"state_dict": {}, "x": Attack(tmp_path / "trace")}))
    refusal(path)
    assert not (tmp_path / "trace").exists()


def test_a_whole_model_is_refused_with_a_way_out(tmp_path: Path) -> None:
    assert "save the weights alone" in refusal(saved(tmp_path, nn.Linear(1, 1)))


def test_a_newer_pickle_protocol_is_refused_with_a_way_out(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "w.pth", pickle_protocol=4)
    message = refusal(tmp_path / "w.pth")
    assert "pickled by protocol 4 or later" in message
    assert "torch.save(model.state_dict(), path)" in message


@pytest.mark.parametrize(
    ("content", "way_out"),
    [
        (b"<!DOCTYPE html><html>quota exceeded</html>", "download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab", "git lfs pull"),
    ],
)
def test_what_came_instead_of_weights_is_named(
    content: bytes, way_out: str, tmp_path: Path
) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    assert refusal(tmp_path / "w.pth").endswith(way_out)


def damaged(change: Callable[[dict[str, object]], None]) -> dict[str, object]:
    content: dict[str, object] = {"state_dict": {**STATE}}
    change(content["state_dict"])  # type: ignore[arg-type]
    return content


def test_a_state_with_more_than_tensors_is_refused_with_a_way_out(tmp_path: Path) -> None:
    content = damaged(lambda state: state.update(lr=0.1))
    message = refusal(saved(tmp_path, content))
    assert "holds more than tensors: lr; save the weights alone" in message
