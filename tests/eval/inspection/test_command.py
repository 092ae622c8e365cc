"""`report`: what it writes, and what it does with faulty input."""

import base64
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from isal import igzip

from eval.inspection.shown_metrics import shown_metrics
from l2r.formats.fields import read_field, write_field
from tests.eval.conftest import SHAPE, Phantom
from tests.eval.inspection.conftest import MakeReport

FIRST = "disp_0002_0001.nii.gz"
NAMES = ["0002_0000<--0001_0000", "0003_0000<--0002_0000", "0005_0000<--0004_0000"]


def replace(phantom: Phantom, name: str, vectors: np.ndarray) -> None:
    write_field(phantom.fields / name, vectors, np.eye(4))


def test_every_pair_has_a_page_and_the_index_links_to_it(make: MakeReport) -> None:
    called = make()
    assert called.code == 0
    assert called.text.rstrip().endswith("index.html")
    assert sorted(called.report.order) == NAMES
    for number, name in enumerate(NAMES, start=1):
        assert f'href="assets/pair-{number:04}.html"' in called.report.index
        assert f"<h1>{name.replace('<', '&lt;')}</h1>" in called.report.page(number)


def test_a_page_has_every_kind_of_picture_in_three_planes(make: MakeReport) -> None:
    page = make().report.page(1)
    titles = re.findall(r"<strong>([^<]+)</strong>", page)
    assert titles == [
        *("Fixed", "Moving", "Warped", "Difference before", "Difference after"),
        *("Gradient correlation", "Its change by the field", "Deformed grid", "Displacement"),
        *("Log Jacobian", "Structures"),
    ]
    for plane in ("sagittal", "coronal", "axial"):
        assert len(re.findall(rf'alt="[^"]+, {plane}"', page)) == len(titles)


def test_distances_and_local_correlation_are_those_of_the_metrics(
    make: MakeReport, phantom: Phantom
) -> None:
    report, case = make().report, phantom.case(0)
    assert "<small>↓ mm</small>" in report.index
    named = {metric.name: metric for metric in shown_metrics(phantom.scorer.protocol)}
    for metric in (named["HD95"], named["ASSD"], named["LNCC"]):
        assert f"<span>{metric.name}</span>" in report.index
        shown = re.search(rf"<dt>{metric.name}</dt><dd>([^<]+)</dd>", report.page(1))
        assert shown is not None
        assert shown[1] == f"{metric(case).mean:.4f}"


def test_the_worst_pair_is_the_first(make: MakeReport, phantom: Phantom) -> None:
    replace(phantom, "disp_0003_0002.nii.gz", np.full((*SHAPE, 3), 9, np.float32))
    report = make().report
    assert report.order[0] == NAMES[1]
    assert 'class="flag severe"' in report.page(2)


def test_volumes_are_niftis_of_the_pair(make: MakeReport, phantom: Phantom) -> None:
    volumes = make().report.volumes(1)
    names = ["fixed", "moving", "warped", "log Jacobian", "warped labels", "fixed labels"]
    assert [volume["name"] for volume in volumes] == names
    images = [
        nib.Nifti1Image.from_bytes(igzip.decompress(base64.b64decode(str(volume["data"]))))
        for volume in volumes
    ]
    assert {image.shape for image in images} == {SHAPE}
    labels = np.asarray(images[5].dataobj)
    truth = phantom.case(0).structures("labels", phantom.scorer.protocol.labels)
    np.testing.assert_array_equal(labels, truth.fixed)
    logs = np.asarray(images[3].dataobj)
    assert np.abs(logs).max() <= 1
    expected = np.log(np.maximum(phantom.case(0).determinants, 1e-3)).clip(-1, 1)
    np.testing.assert_allclose(logs[1:-1, 1:-1, 1:-1], expected, atol=1 / 127)  # of a byte


def test_a_zip_without_a_record_is_a_submission_too(make: MakeReport, phantom: Phantom) -> None:
    packed = shutil.make_archive(str(phantom.folder / "packed"), "zip", phantom.fields)
    report = make(submission=Path(packed)).report
    assert "none beside the fields" in report.index
    assert "Methods" not in report.index


def test_the_record_becomes_words(make: MakeReport, phantom: Phantom) -> None:
    record = {
        "regatta": "9.8.7",
        "settings": {"device": "abacus", "config": {"model": {"name": "unigradicon"}}},
        "pairs": {FIRST: {"status": "fallback", "error": "out of beads", "seconds": {"read": 2.5}}},
    }
    (phantom.fields / "manifest.json").write_text(json.dumps(record))
    report = make().report
    assert "9.8.7" in report.index
    assert "uniGradICON predicted" in report.index
    assert "out of beads" in report.page(1)
    assert report.order[0] == NAMES[0]


def test_a_damaged_record_is_left_out(make: MakeReport, phantom: Phantom) -> None:
    (phantom.fields / "manifest.json").write_text("{")
    called = make()
    assert called.code == 0
    assert "none beside the fields" in called.report.index


def test_two_submissions_stand_side_by_side(make: MakeReport, phantom: Phantom) -> None:
    other = phantom.folder / "others"
    shutil.copytree(phantom.fields, other)
    write_field(other / FIRST, np.zeros((*SHAPE, 3), np.float32), np.eye(4))
    report = make("--compare", other).report
    assert "<bdi>fields</bdi> and <bdi>others</bdi>" in report.index
    page = report.page(1)
    assert page.count("<strong>Warped</strong>") == 2
    assert page.count("<strong>Moving</strong>") == 1
    names = [volume["name"] for volume in report.volumes(1)]
    assert {"warped, fields", "warped, others"} <= set(names)


def test_folders_of_one_name_are_told_apart(make: MakeReport, phantom: Phantom) -> None:
    other = phantom.folder / "second" / "fields"
    shutil.copytree(phantom.fields, other)
    assert "second/fields" in make("--compare", other).report.index


def test_several_processes_make_the_same_pages(make: MakeReport) -> None:
    alone = make().report
    pages = [alone.page(number) for number in (1, 2, 3)]
    together = make("--jobs", 2).report
    assert [together.page(number) for number in (1, 2, 3)] == pages


def other_grid(path: Path) -> None:
    write_field(path, np.zeros((8, 8, 8, 3), np.float32), np.eye(4))


def not_a_number(path: Path) -> None:
    vectors = np.array(read_field(path))
    vectors[3, 3, 3] = np.nan
    write_field(path, vectors, np.eye(4))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (Path.unlink, "no such file"),
        (other_grid, "shape (8, 8, 8, 3)"),
        (not_a_number, "3 of 17280 values are NaN or infinite"),
        (lambda path: path.write_bytes(b"\x1f\x8b nothing"), FIRST),
    ],
)
def test_a_field_that_cannot_be_used_is_shown_as_such(
    make: MakeReport, phantom: Phantom, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(phantom.fields / FIRST)
    called = make()
    assert called.code == 0
    assert called.report.order[0] == NAMES[0]
    page = called.report.page(1)
    assert "unusable" in page
    assert words in page
    assert "<strong>Fixed</strong>" in page
    assert "<strong>Warped</strong>" not in page
    assert "<strong>Warped</strong>" in called.report.page(2)


def test_an_image_that_cannot_be_read_costs_its_pairs_alone(
    make: MakeReport, phantom: Phantom
) -> None:
    (phantom.folder / "imagesVal" / "PHANTOM_0001_0000.nii.gz").unlink()
    called = make()
    assert called.code == 0
    assert "PHANTOM_0001_0000.nii.gz: no such file" in called.report.page(1)
    assert "<strong>Fixed</strong>" not in called.report.page(1)
    assert "<strong>Fixed</strong>" in called.report.page(2)


def test_without_labels_there_are_no_structures(make: MakeReport, phantom: Phantom) -> None:
    shutil.rmtree(phantom.folder / "labelsVal")
    page = make().report.page(1)
    assert "<dt>LNCC</dt>" in page
    for word in ("Structures", "DSC", "HD95", "ASSD"):
        assert word not in page


def test_labels_of_one_image_alone_are_said_and_cost_nothing_else(
    make: MakeReport, phantom: Phantom
) -> None:
    (phantom.folder / "labelsVal" / "PHANTOM_0001_0000.nii.gz").unlink()
    page = make().report.page(1)
    assert "not scored" in page
    assert "<strong>Log Jacobian</strong>" in page


def test_names_cannot_break_out(make: MakeReport, phantom: Phantom) -> None:
    nasty = phantom.folder / "<img src=x onerror=alert(1)>"
    shutil.copytree(phantom.fields, nasty)
    record = {"regatta": "<script>alert(1)</script>", "settings": {"device": "</script><b>"}}
    (nasty / "manifest.json").write_text(json.dumps(record))
    report = make(submission=nasty).report
    for text in (report.index, report.page(1)):
        assert "<img src=x" not in text
        assert "<script>alert" not in text
        assert "</script><b>" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in report.index


def test_a_folder_that_is_no_report_is_left_as_it_is(make: MakeReport, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    treasure = tmp_path / "report" / "treasure.txt"
    treasure.write_text("gold")
    called = make()
    assert called.code == 2
    assert "holds treasure.txt and is no report" in called.text
    assert [path.name for path in treasure.parent.iterdir()] == ["treasure.txt"]


def test_a_report_is_replaced_by_the_next_one(make: MakeReport, phantom: Phantom) -> None:
    make()
    raw = json.loads(phantom.dataset.read_text())
    phantom.dataset.write_text(json.dumps({"validation": raw["validation"][:1]}))
    called = make()
    assert called.code == 0
    pages = (called.report.folder / "assets").glob("pair-*.html")
    assert [path.name for path in pages] == ["pair-0001.html"]


def test_a_file_in_place_of_the_folder_is_refused(make: MakeReport, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file")
    called = make()
    assert called.code == 2
    assert "is a file" in called.text


def test_a_missing_list_and_a_missing_submission_are_one_line(
    make: MakeReport, phantom: Phantom
) -> None:
    missing = make(submission=phantom.folder / "nowhere")
    assert (missing.code, missing.text.count("\n")) == (2, 1)
    assert "nowhere: does not exist" in missing.text
    phantom.dataset.unlink()
    assert make().code == 2


@pytest.mark.slow
def test_two_workers_make_the_report_of_one_process(make: MakeReport, phantom: Phantom) -> None:
    (phantom.fields / FIRST).unlink()

    def made(*more: str) -> dict[str, bytes]:
        called = make(*more)
        assert called.code == 0
        files = (path for path in called.report.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(called.report.folder)): path.read_bytes() for path in files}

    assert made("--cluster", "local:2") == made()
