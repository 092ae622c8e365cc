"""Public data sets become what runs, trainings and scores read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from l2r.dataset import read_pairs
from l2r.errors import DatasetError, ImageError
from l2r.formats.volumes import read_image, read_labels
from l2r.task import load_task
from pipeline.dataset.arrays import read_arrays
from pipeline.dataset.catalog import CONVERTERS
from pipeline.dataset.choice import SplitChoice
from pipeline.dataset.ixi import LABELS
from pipeline.dataset.subjects import write_dataset
from pipeline.train.data import find_data
from tests.pipeline.conftest import Command
from tests.pipeline.dataset.conftest import labels_of, pickled, volume


def converted(kind: str, source: Path, target: Path, counts: str | None = None) -> Path:
    plan = CONVERTERS[kind].plan(source, SplitChoice.parse(counts, 42))
    return write_dataset(target, CONVERTERS[kind].name, plan, lambda _: None)


def test_every_converter_has_a_task_of_its_name() -> None:
    for kind in CONVERTERS:
        assert load_task(kind).name == kind


def test_the_atlas_of_ixi_is_moved_onto_every_subject(ixi: Path, tmp_path: Path) -> None:
    dataset = converted("ixi", ixi, tmp_path / "out")
    data = find_data(tmp_path / "out")
    assert len(data.training_pairs) == 5
    assert data.scans == []
    assert [len(read_pairs(dataset, dataset.parent, s)) for s in ("validation", "test")] == [3, 2]
    for pair in (*data.training_pairs, *data.pairs):
        assert pair.moving.name == "IXI_atlas"
        assert pair.fixed.path.is_file()
        assert pair.fixed.labels.is_file()
        assert pair.moving.labels.is_file()


def test_the_arrays_of_ixi_are_kept_and_the_labels_numbered_anew(ixi: Path, tmp_path: Path) -> None:
    converted("ixi", ixi, tmp_path / "out")
    image = read_image(tmp_path / "out/imagesTr/IXI_0000_0000.nii.gz")
    np.testing.assert_array_equal(image.array, 255 * volume(0))
    labels = read_labels(tmp_path / "out/labelsTr/IXI_0000_0000.nii.gz")
    before = labels_of((0, 2, 3, 41, 255), 0)
    table = {0: 0, 2: 1, 3: 2, 41: 21, 255: 45}
    np.testing.assert_array_equal(labels, np.vectorize(table.get)(before))


def test_the_thirty_labels_of_ixi_are_those_of_both_sides() -> None:
    counted = {LABELS[label] for label in load_task("ixi").evaluation["labels"]}  # type: ignore[attr-defined]
    assert len(counted) == 30
    left = {2, 3, 4, 7, 8, 10, 11, 12, 13, 17, 18, 28, 31}
    right = {41, 42, 43, 46, 47, 49, 50, 51, 52, 53, 54, 60, 63}
    assert counted == left | right | {14, 15, 16, 24}  # and what lies in the middle


def test_a_sample_of_ixi_has_the_sizes_that_were_wanted(ixi: Path, tmp_path: Path) -> None:
    converted("ixi", ixi, tmp_path / "one", "3,2,1")
    converted("ixi", ixi, tmp_path / "two", "3,2,1")
    one, two = (json.loads((tmp_path / n / "IXI_dataset.json").read_text()) for n in ("one", "two"))
    assert [len(one[split]) for split in ("training", "validation", "test")] == [3, 2, 1]
    assert one == two


def test_a_label_that_ixi_does_not_have_is_refused(ixi: Path, tmp_path: Path) -> None:
    pickled(ixi / "Train" / "subject_0.pkl", (volume(0), labels_of((0, 6), 0)))
    with pytest.raises(ImageError, match="label 6 is none of the 46 of IXI"):
        converted("ixi", ixi, tmp_path / "out")
    assert not (tmp_path / "out" / "IXI_dataset.json").exists()


def test_image_and_label_map_of_different_shapes_are_refused(ixi: Path, tmp_path: Path) -> None:
    pickled(ixi / "Train" / "subject_0.pkl", (volume(0)[1:], labels_of((0, 2), 0)))
    with pytest.raises(ImageError, match="have different shapes"):
        converted("ixi", ixi, tmp_path / "out")


def test_subjects_of_lpba40_and_the_atlas_make_pairs(lpba40: Path, tmp_path: Path) -> None:
    converted("lpba40", lpba40, tmp_path / "out", "2,1,1")
    data = find_data(tmp_path / "out")
    assert len(data.training_pairs) == 2
    assert len(data.pairs) == 1
    assert {pair.moving.name for pair in data.training_pairs} == {"LPBA40_0001_0000"}
    image = read_image(data.pairs[0].fixed.path)
    assert image.shape == (6, 7, 5)
    assert set(np.unique(read_labels(data.pairs[0].fixed.labels))) == {0, 21, 166}


def test_lpba40_in_folders_of_images_and_labels_is_the_same(tmp_path: Path) -> None:
    from tests.pipeline.dataset.conftest import nifti  # noqa: PLC0415

    for number in (1, 2, 3):
        nifti(tmp_path / "in/train" / f"S{number:02}.nii.gz", volume(number))
        nifti(tmp_path / "in/label" / f"S{number:02}.nii.gz", labels_of((0, 21), number))
    converted("lpba40", tmp_path / "in", tmp_path / "out")
    assert len(find_data(tmp_path / "out").training_pairs) == 2


def test_lpba40_without_atlas_or_with_a_subject_that_has_no_labels_is_refused(
    lpba40: Path, tmp_path: Path
) -> None:
    label = "S03/S03.delineation.structure.label.img"
    (lpba40 / label).unlink()
    with pytest.raises(DatasetError, match="S03 has no label map"):
        converted("lpba40", lpba40, tmp_path / "out")
    (lpba40 / "S01/S01.delineation.skullstripped.img").unlink()
    with pytest.raises(DatasetError, match="no image of S01, which is the atlas"):
        converted("lpba40", lpba40, tmp_path / "out")


def test_subjects_of_mindboggle_keep_their_affine(mindboggle: Path, tmp_path: Path) -> None:
    dataset = converted("mindboggle", mindboggle, tmp_path / "out", "2,2")
    data = find_data(dataset)
    assert len(data.scans) == 2
    assert len(data.pairs) == 1
    assert read_image(data.pairs[0].fixed.path).spacing_mm.tolist() == [1, 1, 2]
    assert set(np.unique(read_labels(data.pairs[0].fixed.labels))) == {0, 1002, 2035}


def test_the_last_twenty_subjects_of_neurites_oasis_make_nineteen_pairs(
    neurite: Path, tmp_path: Path
) -> None:
    dataset = converted("oasis", neurite, tmp_path / "out")
    data = find_data(dataset)
    assert [scan.name for scan in data.scans] == [f"OASIS_{n:04}_0000" for n in (1, 2, 3)]
    names = [(pair.fixed.ids[0], pair.moving.ids[0]) for pair in data.pairs]
    assert names == [(f"{n:04}", f"{n + 1:04}") for n in range(4, 23)]


def test_learn2regs_oasis_gives_its_test_images_without_labels(
    learn2reg: Path, tmp_path: Path
) -> None:
    dataset = converted("oasis", learn2reg, tmp_path / "out", "2,19")
    assert len(find_data(dataset).scans) == 2
    pairs = read_pairs(dataset, dataset.parent, "test")
    assert [pair.name for pair in pairs] == [
        "OASIS_0454_0000<--OASIS_0455_0000",
        "OASIS_0455_0000<--OASIS_0456_0000",
    ]
    assert not (tmp_path / "out" / "labelsTs").exists()


def assert_pairs_of_pickles_are_right(folder: Path) -> None:
    pairs = find_data(folder).pairs
    assert [pair.name for pair in pairs] == [
        "OASIS_0438_0000<--OASIS_0439_0000",
        "OASIS_0439_0000<--OASIS_0440_0000",
    ]
    for pair, number in zip(pairs, (438, 439), strict=True):
        for side, shown in ((pair.fixed, number), (pair.moving, number + 1)):
            expected = volume(shown).transpose(0, 2, 1)
            np.testing.assert_array_equal(read_image(side.path).array, expected)
            labels = labels_of((0, 1, 35), shown).transpose(0, 2, 1)
            np.testing.assert_array_equal(read_labels(side.labels), labels)


def test_pickles_of_oasis_become_its_training_images_and_pairs(
    transmorphs_oasis: Path, tmp_path: Path
) -> None:
    dataset = converted("oasis", transmorphs_oasis, tmp_path / "out")
    names = [scan.name for scan in find_data(dataset).scans]
    assert names == [f"OASIS_{n:04}_0000" for n in (1, 2, 3)]
    assert_pairs_of_pickles_are_right(dataset)


def test_pickles_whose_numbers_are_exchanged_are_found_out_by_their_neighbours(
    transmorphs_oasis: Path, tmp_path: Path
) -> None:
    for path in (transmorphs_oasis / "Test").iterdir():
        x, y, x_seg, y_seg = read_arrays(path, 4)
        pickled(path, (y, x, y_seg, x_seg))
    assert_pairs_of_pickles_are_right(converted("oasis", transmorphs_oasis, tmp_path / "out"))


def test_a_subject_of_the_validation_is_not_trained_on(
    transmorphs_oasis: Path, tmp_path: Path
) -> None:
    pickled(transmorphs_oasis / "All" / "p_0439.pkl", (volume(439), labels_of((0, 1), 439)))
    dataset = converted("oasis", transmorphs_oasis, tmp_path / "out", "3,1")
    data = find_data(dataset)
    assert sorted(scan.name[6:10] for scan in data.scans) == ["0001", "0002", "0003"]
    assert len(data.pairs) == 1


def test_pickles_that_do_not_belong_together_are_refused(
    transmorphs_oasis: Path, tmp_path: Path
) -> None:
    second = transmorphs_oasis / "Test/p_0439_0440.pkl"
    content = second.read_bytes()
    pickled(second, (volume(7), volume(8), labels_of((0, 1), 7), labels_of((0, 1), 8)))
    with pytest.raises(DatasetError, match="no image of it is one of p_0438_0439"):
        converted("oasis", transmorphs_oasis, tmp_path / "out")
    pickled(second, (volume(7), labels_of((0, 1), 7)))
    with pytest.raises(ImageError, match="4 arrays of numbers are expected"):
        converted("oasis", transmorphs_oasis, tmp_path / "out")
    second.write_bytes(content)
    second.rename(second.with_name("p_0500_0501.pkl"))
    with pytest.raises(DatasetError, match="must begin with the second image of the one before"):
        converted("oasis", transmorphs_oasis, tmp_path / "out")
    shutil.rmtree(transmorphs_oasis / "All")
    with pytest.raises(DatasetError, match="no All/"):
        converted("oasis", transmorphs_oasis, tmp_path / "out", "3,1")


@pytest.mark.parametrize("kind", CONVERTERS)
def test_a_folder_of_something_else_is_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty"):
        converted(kind, tmp_path / "empty", tmp_path / "out")


def test_the_command_writes_a_data_set_and_says_where(
    command: Command, ixi: Path, tmp_path: Path
) -> None:
    ran = command("dataset", "convert", "ixi", ixi, tmp_path / "out", "--counts", "3,2,1")
    assert ran.code == 0
    assert ran.out.endswith("IXI_dataset.json: 4 training, 2 validation, 1 test subjects\n")
    other = command("dataset", "convert", "brains", ixi, tmp_path / "out")
    assert other.code == 2
    assert "no converter 'brains'; there are ixi, lpba40" in other.err
