"""`figure`: every kind as a picture, from small files; and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from eval.cli import app
from eval.figures.curve_figures import refinement, training
from eval.figures.pair_figures import read_pair_figure
from l2r.errors import ConfigError
from l2r.formats.fields import write_field
from tests.eval.conftest import SHAPE, Phantom

FIRST = "disp_0002_0001.nii.gz"
PAIR_KINDS = ("slices", "difference", "displacement", "correlation", "log-jacobian", "inverse")

Draw = Callable[..., Result]


def images(phantom: Phantom) -> tuple[Path, Path]:
    pair = phantom.pairs[0]
    return pair.fixed.path, pair.moving.path


def draw(kind: str, *words: object) -> Result:
    arguments = ["figure", kind, *map(str, words)]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def log(path: Path, start: float) -> Path:
    lines = [
        {"epoch": n, "training": {"similarity": start / n}, "scores": {"DSC": 0.1 * n}}
        for n in range(1, 5)
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def manifest(path: Path, cosines: list[float]) -> Path:
    level = {"losses": {"similarity": [3.0, 2.0], "diffusion": [0.0, 1.0]}, "cosines": cosines}
    pair = {"refinements": [{"levels": [level, level]}]}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"pairs": {FIRST: pair}}))
    return path


def landscape_table(path: Path) -> Path:
    steps = (-1.0, 0.0, 1.0)
    rows = [f"{a},{b},{a * a + b * b}" for a in steps for b in steps]
    path.write_text("\n".join(["first,second,similarity", *rows]))
    return path


def scores(path: Path, *cases: list[float | None]) -> Path:
    found = {f"case {n}": {"DSC": {"mean": 0.5, "detailed": c}} for n, c in enumerate(cases)}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"cases": found}))
    return path


def is_a_picture(path: Path) -> bool:
    with Image.open(path) as picture:
        return len(picture.convert("RGB").getcolors(1 << 24) or []) > 10


@pytest.mark.parametrize("kind", PAIR_KINDS)
def test_every_kind_of_a_pair_is_drawn(phantom: Phantom, tmp_path: Path, kind: str) -> None:
    output = tmp_path / f"{kind}.png"
    result = draw(kind, *images(phantom), phantom.fields / FIRST, "--output", output)
    assert (result.exit_code, result.output) == (0, f"{output}\n")
    assert is_a_picture(output)


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_vector_files_keep_text_and_are_repeatable(tmp_path: Path, suffix: str) -> None:
    logs = log(tmp_path / "one.jsonl", -1.0)
    outputs = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for output in outputs:
        assert draw("training", logs, "--output", output).exit_code == 0
    first, second = (output.read_bytes() for output in outputs)
    assert first == second
    assert suffix == ".pdf" or b">epoch<" in first


def test_curves_are_those_of_the_logs(tmp_path: Path) -> None:
    figure = training(
        [log(tmp_path / "a" / "log.jsonl", -1.0), log(tmp_path / "b" / "log.jsonl", 2.0)]
    )
    similarity, dice = figure.axes[:2]
    assert similarity.get_title() == "training: similarity"
    assert dice.get_title() == "scores: DSC"
    drawn = {line.get_label(): line.get_ydata() for line in similarity.lines}
    assert drawn["a"] == pytest.approx([-1, -1 / 2, -1 / 3, -1 / 4])
    assert drawn["b"] == pytest.approx([2, 1, 2 / 3, 1 / 2])


def test_runs_in_folders_of_one_name_all_have_their_curves(tmp_path: Path) -> None:
    paths = [tmp_path / name / "training" / "log.jsonl" for name in ("x", "y")]
    for path in paths:
        path.parent.mkdir(parents=True)
    figure = training([log(paths[0], -1.0), log(paths[1], 2.0)])
    labels = [line.get_label() for line in figure.axes[0].lines]
    assert labels == ["x/training", "y/training"]


def test_a_refinement_has_its_losses_its_cosines_and_how_often_they_conflict(
    tmp_path: Path,
) -> None:
    figure = refinement([manifest(tmp_path / "run" / "manifest.json", [-0.5, 0.25])])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["similarity", "diffusion", "cosine of two gradients"]
    similarity, _, cosine = figure.axes
    values = np.asarray(similarity.lines[0].get_ydata(), float)
    assert values[np.isfinite(values)].tolist() == [3, 2, 3, 2]
    assert "run: 50% conflict" in [line.get_label() for line in cosine.lines]


def test_runs_without_cosines_have_no_panel_for_them(tmp_path: Path) -> None:
    figure = refinement([manifest(tmp_path / "run" / "manifest.json", [])])
    assert [axes.get_title() for axes in figure.axes] == ["similarity", "diffusion"]


def test_a_run_whose_gradients_were_not_compared_has_no_rate_of_conflicts(tmp_path: Path) -> None:
    runs = [("sum", []), ("projected", [-0.5, 0.25])]
    figure = refinement([manifest(tmp_path / name / "manifest.json", c) for name, c in runs])
    legend = figure.axes[-1].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["projected: 50% conflict"]


def test_the_pairs_that_are_named_instead_have_curves(tmp_path: Path) -> None:
    path = manifest(tmp_path / "manifest.json", [])
    record = json.loads(path.read_text())
    path.write_text(json.dumps({"pairs": {"none.nii.gz": {}} | record["pairs"]}))
    with pytest.raises(ConfigError, match=f"known are {FIRST}$"):
        refinement([path], "none.nii.gz")
    assert refinement([path])._suptitle.get_text() == FIRST


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("landscape", lambda folder: landscape_table(folder / "table.csv")),
        ("refinement", lambda folder: manifest(folder / "run" / "manifest.json", [-0.5]).parent),
    ],
)
def test_every_kind_of_a_table_is_drawn(
    tmp_path: Path, kind: str, make: Callable[[Path], Path]
) -> None:
    output = tmp_path / "figure.png"
    assert draw(kind, make(tmp_path), "--output", output).exit_code == 0
    assert is_a_picture(output)


def test_structures_have_a_box_for_each_submission(phantom: Phantom, tmp_path: Path) -> None:
    files = [
        scores(tmp_path / name / "metrics.json", [0.5, None, 0.7], [0.6, 0.8, 0.9])
        for name in ("ours", "theirs")
    ]
    output = tmp_path / "boxes.png"
    result = draw("structures", *files, "--task", phantom.task_file, "--output", output)
    assert result.exit_code == 0
    assert is_a_picture(output)
    wrong = draw("structures", *files, "--metric", "HD95", "--output", output)
    assert wrong.exit_code == 2
    assert "it has DSC" in wrong.output


def test_two_fields_are_named_after_their_folders(phantom: Phantom) -> None:
    other = phantom.folder / "other" / FIRST
    other.parent.mkdir()
    write_field(other, np.zeros((*SHAPE, 3), np.float32), np.eye(4))
    figure = read_pair_figure(*images(phantom), [phantom.fields / FIRST, other]).slices()
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert titles == ["fixed", "moving", "warped, fields", "warped, other"]


def test_two_fields_of_one_folder_are_named_after_their_files(phantom: Phantom) -> None:
    fields = [phantom.folder / name for name in ("one.nii.gz", "two.nii.gz")]
    for path in fields:
        write_field(path, np.zeros((*SHAPE, 3), np.float32), np.eye(4))
    figure = read_pair_figure(*images(phantom), fields).slices()
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert titles == ["fixed", "moving", "warped, one", "warped, two"]


def test_a_field_that_moves_nothing_leaves_the_composition_without_an_error(
    phantom: Phantom,
) -> None:
    path = phantom.folder / "zero.nii.gz"
    write_field(path, np.zeros((*SHAPE, 3), np.float32), np.eye(4))
    figure = read_pair_figure(*images(phantom), [path]).inverse()
    titles = [axes.get_title() for axes in figure.axes]
    error = figure.axes[titles.index("error of the composition")].images[0].get_array()
    assert np.ptp(np.asarray(error), axis=(0, 1)).max() == 0


@pytest.mark.parametrize(
    ("name", "words"), [("x.gif", "must end in .png, .svg, .pdf"), ("nowhere/x.png", "folder")]
)
def test_a_place_that_cannot_be_written_to_is_refused_first(
    phantom: Phantom, name: str, words: str
) -> None:
    missing = phantom.folder / "missing.nii.gz"
    result = draw("slices", missing, missing, missing, "--output", phantom.folder / name)
    assert result.exit_code == 2
    assert words in result.output


def test_faulty_input_is_one_line(phantom: Phantom, tmp_path: Path) -> None:
    output = tmp_path / "x.png"
    small = phantom.folder / "small.nii.gz"
    write_field(small, np.zeros((4, 4, 4, 3), np.float32), np.eye(4))
    result = draw("slices", *images(phantom), small, "--output", output)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "shape (4, 4, 4, 3)" in result.output
    empty = tmp_path / "log.jsonl"
    empty.write_text("")
    assert "no epoch is logged" in draw("training", empty, "--output", output).output
    none = manifest(tmp_path / "manifest.json", [])
    assert (
        "no curves of other"
        in draw("refinement", none, "--pair", "other", "--output", output).output
    )
    empty.write_text("not, a table")
    assert "not a table" in draw("landscape", empty, "--output", output).output
    assert not output.exists()
