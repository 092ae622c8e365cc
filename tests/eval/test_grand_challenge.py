"""As the evaluation container of a phase."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from eval.cli import app
from eval.scoring import score_submission
from l2r.formats.fields import read_field, write_field
from tests.eval.conftest import Phantom

FIRST = "disp_0002_0001.nii.gz"


@pytest.fixture
def platform(phantom: Phantom, tmp_path: Path) -> Path:
    """The folders that the platform mounts; the ground truth has one pair list."""
    truth = tmp_path / "opt/ml/input/data/ground_truth"
    truth.mkdir(parents=True)
    for kind in ("images", "labels", "landmarks"):
        shutil.move(tmp_path / f"{kind}Val", truth / f"{kind}Val")
    phantom.dataset.rename(truth / "PHANTOM_dataset.json")
    for folder in ("input", "output"):
        (tmp_path / folder).mkdir()
    return tmp_path


def call(platform: Path, *more: str) -> Result:
    arguments = ["grand-challenge", "--task", platform / "phantom.toml"]
    arguments += ["--input", platform / "input", "--output", platform / "output/metrics.json"]
    arguments += ["--ground-truth", platform / "opt/ml/input/data/ground_truth", *more]
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


def value(slug: str, path: str = "", image: str | None = None, word: str = "interface") -> dict:
    """As the platform lists it, with more than we read."""
    return {
        "file": None,
        "image": {"pk": "0000", "name": image} if image else None,
        "value": None,
        word: {"slug": slug, "kind": "Image", "relative_path": path, "super_kind": "File"},
    }


def jobs_of(
    phantom: Phantom, platform: Path, *, named: bool, word: str = "interface"
) -> list[dict]:
    """One job per pair; each field under its own name or under one that says nothing."""
    jobs = []
    truth = platform / "opt/ml/input/data/ground_truth"
    pairs = json.loads((truth / "PHANTOM_dataset.json").read_text())["validation"]
    for number, (name, pair) in enumerate(zip(sorted_fields(phantom), pairs, strict=True)):
        path = f"fields/{name}" if named else "displacement-field.nii.gz"
        place = platform / "input" / f"job-{number}" / "output" / path
        place.parent.mkdir(parents=True)
        shutil.move(phantom.fields / name, place)
        images = {role: Path(pair[role]).name for role in ("fixed", "moving")}
        inputs = [value(f"{role}-mri", "images/x", images[role], word) for role in images]
        outputs = [value("displacement-field", path, word=word)]
        jobs.append(
            {"pk": f"job-{number}", "status": "Succeeded", "inputs": inputs, "outputs": outputs}
        )
    return jobs[::-1]


def sorted_fields(phantom: Phantom) -> list[str]:
    return sorted(path.name for path in phantom.fields.iterdir())


def predict(platform: Path, jobs: object) -> None:
    (platform / "input" / "predictions.json").write_text(json.dumps(jobs))


def metrics(platform: Path) -> dict:
    text = (platform / "output/metrics.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    return json.loads(text)


@pytest.fixture
def expected(phantom: Phantom) -> list[float]:
    """Dice and TRE by case, before anything moves."""
    report = score_submission(phantom.submission, phantom.task, phantom.pairs, phantom.folder)
    return [result.mean for case in report.cases for result in case.results.values()]


def means(written: dict) -> list[float]:
    return [result["mean"] for case in written["cases"].values() for result in case.values()]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("word", ["interface", "socket"])
def test_jobs_are_scored_by_the_names_of_their_files_or_of_their_images(
    named: bool, word: str, expected: list[float], phantom: Phantom, platform: Path
) -> None:
    predict(platform, jobs_of(phantom, platform, named=named, word=word))
    result = call(platform)
    assert result.exit_code == 0, result.stderr
    assert means(metrics(platform)) == expected


def test_two_pairs_of_the_same_images_are_told_apart_by_the_sockets(
    phantom: Phantom, platform: Path
) -> None:
    jobs = jobs_of(phantom, platform, named=False)
    truth = platform / "opt/ml/input/data/ground_truth/PHANTOM_dataset.json"
    pair = json.loads(truth.read_text())["validation"][0]
    both = [pair, {"fixed": pair["moving"], "moving": pair["fixed"]}]
    truth.write_text(json.dumps({"validation": both}))
    back = {"fixed-mri": "moving-mri", "moving-mri": "fixed-mri"}
    first = jobs[-1]
    second = jobs[0] | {
        "inputs": [
            entry | {"interface": entry["interface"] | {"slug": back[entry["interface"]["slug"]]}}
            for entry in first["inputs"]
        ]
    }
    predict(platform, [first, second])
    assert call(platform).exit_code == 0
    assert list(metrics(platform)["cases"]) == ["0002_0000<--0001_0000", "0001_0000<--0002_0000"]


@pytest.mark.parametrize("zipped", [False, True])
def test_an_uploaded_submission_is_scored_as_it_lies(
    zipped: bool, expected: list[float], phantom: Phantom, platform: Path
) -> None:
    if zipped:
        with zipfile.ZipFile(platform / "input/submission.zip", "w") as archive:
            for name in sorted_fields(phantom):
                archive.write(phantom.fields / name, name)
    else:
        shutil.copytree(phantom.fields, platform / "input", dirs_exist_ok=True)
    assert call(platform, "--jobs", "2").exit_code == 0
    assert means(metrics(platform)) == expected


APPLE_DOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X"


def test_files_that_macos_leaves_are_no_submissions_and_no_pair_lists(
    expected: list[float], phantom: Phantom, platform: Path
) -> None:
    with zipfile.ZipFile(platform / "input/submission.zip", "w") as archive:
        for name in sorted_fields(phantom):
            archive.write(phantom.fields / name, name)
    (platform / "input/._submission.zip").write_bytes(APPLE_DOUBLE)
    truth = platform / "opt/ml/input/data/ground_truth"
    (truth / "._PHANTOM_dataset.json").write_bytes(APPLE_DOUBLE)
    for path in [*(truth / "imagesVal").iterdir(), *(truth / "labelsVal").iterdir()]:
        path.with_name(f"._{path.name}").write_bytes(APPLE_DOUBLE)
    result = call(platform)
    assert result.exit_code == 0, result.stderr
    assert means(metrics(platform)) == expected


def test_files_that_macos_leaves_in_an_image_socket_are_no_fields(
    expected: list[float], phantom: Phantom, platform: Path
) -> None:
    jobs = jobs_of(phantom, platform, named=False)
    for job in jobs:
        job["outputs"][0]["interface"]["relative_path"] = "images/field"
        output = platform / "input" / job["pk"] / "output"
        (output / "images/field").mkdir(parents=True)
        (output / "displacement-field.nii.gz").rename(output / "images/field/3f2a.nii.gz")
        (output / "images/field/._3f2a.nii.gz").write_bytes(APPLE_DOUBLE)
    predict(platform, jobs)
    result = call(platform)
    assert result.exit_code == 0, result.stderr
    assert means(metrics(platform)) == expected


def test_what_is_no_number_is_null(phantom: Phantom, platform: Path) -> None:
    write_field(phantom.fields / FIRST, np.full((20, 18, 16, 3), 1000, np.float32), np.eye(4))
    shutil.copytree(phantom.fields, platform / "input", dirs_exist_ok=True)
    assert call(platform).exit_code == 0
    written = metrics(platform)
    assert written["aggregates"]["HD95"]["mean"] is None
    assert written["cases"]["0002_0000<--0001_0000"]["HD95"]["detailed"][1] is None


def drop_field(jobs: list[dict], platform: Path) -> None:
    jobs.pop()


def escape(jobs: list[dict], platform: Path) -> None:
    jobs[0]["outputs"][0]["interface"]["relative_path"] = "../../../secret.nii.gz"


def escape_by_key(jobs: list[dict], platform: Path) -> None:
    jobs[0]["pk"] = "../.."


def absolute_key(jobs: list[dict], platform: Path) -> None:
    jobs[0]["pk"] = "/etc"


def two_outputs(jobs: list[dict], platform: Path) -> None:
    jobs[0]["outputs"].append(value("report", "report.json"))


def image_socket(jobs: list[dict], platform: Path) -> None:
    jobs[0]["outputs"][0]["interface"]["relative_path"] = "images/field"
    folder = platform / "input" / jobs[0]["pk"] / "output/images/field"
    folder.mkdir(parents=True)
    (folder / "3f2a.tiff").touch()


def archive(jobs: list[dict], platform: Path) -> None:
    jobs[0]["outputs"][0]["interface"]["relative_path"] = "field.npz"


def unknown_images(jobs: list[dict], platform: Path) -> None:
    jobs[0]["inputs"] = []


def same_twice(jobs: list[dict], platform: Path) -> None:
    jobs[0]["inputs"] = jobs[1]["inputs"]


def no_file(jobs: list[dict], platform: Path) -> None:
    (platform / "input" / jobs[0]["pk"] / "output/displacement-field.nii.gz").unlink()


def no_key(jobs: list[dict], platform: Path) -> None:
    del jobs[0]["pk"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_field, f"{FIRST}: no such file; 1 of 3 fields are missing"),
        (escape, "job job-2: 'job-2/output/../../../secret.nii.gz' leaves the folder of inputs"),
        (escape_by_key, "leaves the folder of inputs"),
        (absolute_key, "leaves the folder of inputs"),
        (
            two_outputs,
            "its outputs are displacement-field, report; name that of the field by --soc",
        ),
        (image_socket, "3f2a.tiff: a field must be one file of .nii.gz, .nii, .mha; let the"),
        (archive, "field.npz: a field must be one file of .nii.gz, .nii, .mha"),
        (unknown_images, "is the field of 0 pairs by the names of its input images; name the file"),
        (same_twice, "another job has the field disp_0003_0002.nii.gz, too"),
        (no_file, "displacement-field.nii.gz: no such file"),
        (no_key, "predictions.json: 0.pk: field required"),
    ],
)
def test_what_is_wrong_is_the_last_line_of_stderr(
    spoil, message: str, phantom: Phantom, platform: Path
) -> None:
    jobs = jobs_of(phantom, platform, named=False)
    spoil(jobs, platform)
    predict(platform, jobs)
    result = call(platform)
    assert result.exit_code == 2
    last = result.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert not (platform / "output/metrics.json").exists()


def test_a_job_with_several_outputs_is_scored_by_the_one_that_is_named(
    expected: list[float], phantom: Phantom, platform: Path
) -> None:
    jobs = jobs_of(phantom, platform, named=False)
    two_outputs(jobs, platform)
    predict(platform, jobs)
    assert call(platform, "--socket", "displacement-field").exit_code == 0
    assert means(metrics(platform)) == expected


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("output", "output/metrics.json: the folder does not exist; mount it"),
        ("input", "input: does not exist; give the folder of fields"),
    ],
)
def test_what_is_not_mounted_is_named(folder: str, message: str, platform: Path) -> None:
    (platform / folder).rmdir()
    result = call(platform)
    assert result.exit_code == 2
    assert message in result.stderr.splitlines()[-1]


def test_the_pair_list_must_be_clear(platform: Path) -> None:
    truth = platform / "opt/ml/input/data/ground_truth"
    shutil.copy(truth / "PHANTOM_dataset.json", truth / "OTHER_dataset.json")
    result = call(platform)
    assert result.exit_code == 2
    assert "2 files *_dataset.json; name the list by --dataset" in result.stderr
    chosen = str(truth / "PHANTOM_dataset.json")
    assert "no such file; 3 of 3 fields" in call(platform, "--dataset", chosen).stderr


def test_help_waits_for_nothing() -> None:
    result = CliRunner().invoke(app, ["grand-challenge", "--help"])
    assert result.exit_code == 0
    assert "/opt/ml/input/data" in result.stdout


def test_fields_of_image_sockets_score_the_same(
    expected: list[float], phantom: Phantom, platform: Path
) -> None:
    jobs = jobs_of(phantom, platform, named=False)
    for job in jobs:
        output = platform / "input" / job["pk"] / "output"
        vectors = read_field(output / "displacement-field.nii.gz")
        job["outputs"][0]["interface"]["relative_path"] = "images/field"
        (output / "images/field").mkdir(parents=True)
        (output / "images/field/3f2a.mha").write_bytes(metaimage(vectors.astype("<f4")))
    predict(platform, jobs)
    assert call(platform).exit_code == 0
    assert means(metrics(platform)) == expected


def metaimage(vectors: np.ndarray) -> bytes:
    size = " ".join(map(str, vectors.shape))
    header = f"NDims = 4\nDimSize = {size}\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n"
    return header.encode() + vectors.tobytes(order="F")
