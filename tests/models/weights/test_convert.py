from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from l2r.errors import OutputError, WeightsError
from models.weights.convert import convert, count_parameters


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Of a convolution and a normalisation whose statistics are beyond half precision."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2))
    model[1].running_var[:] = torch.tensor([1e6, 1e-9])
    model[1].num_batches_tracked += 70_000
    return dict(model.state_dict())


@pytest.fixture
def source(state: dict[str, Tensor], tmp_path: Path) -> Path:
    path = tmp_path / "w.pth.tar"
    grids = {"module.up.grid": torch.zeros(4)}
    named = {f"module.{name}": value for name, value in state.items()}
    torch.save({"epoch": 1, "state_dict": named | grids, "optimizer": {}}, path)
    return path


def test_single_precision_is_kept_bit_for_bit_and_nothing_else_is(
    source: Path, state: dict[str, Tensor], tmp_path: Path
) -> None:
    target = tmp_path / "w.safetensors"
    written = convert(source, target, torch.float32)
    torch.testing.assert_close(load_file(target), state, rtol=0, atol=0)
    torch.testing.assert_close(written, state, rtol=0, atol=0)


def test_half_precision_spares_integers_and_running_statistics(
    source: Path, state: dict[str, Tensor], tmp_path: Path
) -> None:
    convert(source, tmp_path / "w.safetensors", torch.float16)
    halved = load_file(tmp_path / "w.safetensors")
    for name, value in state.items():
        spared = name.startswith(("1.running_", "1.num_batches"))
        assert halved[name].dtype == (value.dtype if spared else torch.float16)
        atol, rtol = (0, 0) if spared else (1e-7, 2**-11)
        torch.testing.assert_close(halved[name].to(value.dtype), value, atol=atol, rtol=rtol)


def test_the_same_weights_make_the_same_file(source: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "first.safetensors", tmp_path / "again.safetensors"
    convert(source, first, torch.float16)
    convert(first, again, torch.float16)
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (65520.0, torch.float16, "has numbers up to 65520, but float16 ends at 65504; keep"),
        (-1e5, torch.float16, "has numbers up to 100000, but float16 ends at 65504"),
        (torch.inf, torch.float16, "has numbers that are NaN or infinite; the weights are broken"),
        (torch.nan, torch.float32, "has numbers that are NaN or infinite; the weights are broken"),
    ],
)
def test_numbers_that_would_not_be_finite_are_refused(
    state: dict[str, Tensor], tmp_path: Path, value: float, kind: torch.dtype, said: str
) -> None:
    state["0.weight"][1] = value
    source, target = tmp_path / "w.pth", tmp_path / "w.safetensors"
    torch.save(state, source)
    with pytest.raises(WeightsError, match=said) as caught:
        convert(source, target, kind)
    assert str(caught.value).startswith(f"{source}: 0.weight has")
    assert not target.exists()


def test_the_largest_half_is_written(state: dict[str, Tensor], tmp_path: Path) -> None:
    state["0.weight"][1] = 65504.0
    torch.save(state, tmp_path / "w.pth")
    written = convert(tmp_path / "w.pth", tmp_path / "w.safetensors", torch.float16)
    assert written["0.weight"].max() == 65504


def test_tensors_that_share_memory_or_run_backwards_are_written(tmp_path: Path) -> None:
    numbers = torch.arange(6.0).view(2, 3)
    torch.save({"a": numbers, "b": numbers.T, "c": numbers[1]}, tmp_path / "w.pth")
    convert(tmp_path / "w.pth", tmp_path / "w.safetensors", torch.float32)
    found = load_file(tmp_path / "w.safetensors")
    assert torch.equal(found["b"], numbers.T)
    assert torch.equal(found["c"], numbers[1])


def test_a_folder_that_is_not_there_is_told(source: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        convert(source, tmp_path / "no" / "w.safetensors", torch.float32)


def test_parameters_are_neither_counts_nor_statistics(state: dict[str, Tensor]) -> None:
    assert count_parameters(state) == 2 + 2 + 2 + 2
