"""The organisers' own evaluation configs."""

import json
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from eval.evaluation_config import with_configs
from eval.scoring import Scorer
from l2r.errors import DatasetError, L2RError, TaskError
from l2r.task import load_task
from tests.eval.conftest import LABELS, SHAPE, Phantom

SAMPLE = Path(__file__).parents[2] / "sample"


def config(phantom: Phantom, file: str = "config.json", **changes: object) -> Path:
    pairs = json.loads(phantom.dataset.read_text())["validation"]
    content = {
        "name": "THEIRS",
        "evaluation_methods": [
            {"name": "Non-diffeomorphic Volumes", "metric": "ndv"},
            {"name": "DSC", "metric": "dice", "labels": list(LABELS)},
            {"name": "HD95", "metric": "hd95", "labels": list(LABELS)},
            {"name": "TRE_lm", "metric": "tre", "dest": "landmarks"},
        ],
        "expected_shape": [*SHAPE, 3],
        "eval_pairs": pairs,
        "eval_config_version": 0.0,
        "masked_evaluation": False,
    } | changes
    path = phantom.folder / file
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return path


def test_a_config_gives_the_same_scores_as_the_task_that_it_describes(phantom: Phantom) -> None:
    scorer, pairs = with_configs(phantom.scorer, [config(phantom)])
    theirs = scorer.score_submission(phantom.submission, pairs)
    ours = phantom.scorer.score_submission(phantom.submission, phantom.pairs)
    assert theirs.protocol.name == "THEIRS"
    np.testing.assert_equal(list(map(astuple, theirs.cases)), list(map(astuple, ours.cases)))


def test_it_says_the_metrics_the_structures_the_shape_and_the_pairs(phantom: Phantom) -> None:
    only = [{"name": "Dice", "metric": "dice", "labels": [3, 1]}]
    pairs = json.loads(phantom.dataset.read_text())["validation"][:1]
    path = config(phantom, evaluation_methods=only, eval_pairs=pairs)
    scorer, found = with_configs(Scorer.of(load_task("any"), phantom.folder), [path])
    assert scorer.task.data.shape == SHAPE
    assert [pair.name for pair in found] == ["PHANTOM_0002_0000<--PHANTOM_0001_0000"]
    report = phantom_names(scorer, phantom).score_submission(phantom.submission, phantom.pairs)
    first = report.cases[0].results
    assert list(first) == ["Dice"]
    assert len(first["Dice"].detailed) == 2
    full = phantom.scorer.score_submission(phantom.submission, phantom.pairs)
    assert first["Dice"].detailed == tuple(full.cases[0].results["DSC"].detailed[i] for i in (3, 1))


def phantom_names(scorer: Scorer, phantom: Phantom) -> Scorer:
    task = scorer.task.model_copy(update={"field": phantom.task.field})
    return replace(scorer, task=task)


def test_lumirs_files_for_landmarks_and_for_each_group_are_read_together(phantom: Phantom) -> None:
    pairs = json.loads(phantom.dataset.read_text())["validation"]
    methods = json.loads(config(phantom).read_text())["evaluation_methods"]
    files = [
        config(phantom, "l.json", evaluation_methods=methods[::3], eval_pairs=pairs[2:]),
        config(phantom, "s.json", evaluation_methods=methods[:3], eval_pairs=pairs[:2]),
    ]
    scorer, found = with_configs(phantom.scorer, files)
    assert [pair.fixed.ids[0] for pair in found] == ["0005", "0002", "0003"]
    theirs = scorer.score_submission(phantom.submission, found)
    ours = phantom.scorer.score_submission(phantom.submission, phantom.pairs)
    assert theirs.aggregates() == ours.aggregates()


@pytest.mark.parametrize("task", ["aseg", "lumir24", "lumir25"])
def test_what_the_file_leaves_open_is_the_tasks(task: str) -> None:
    known = load_task(task)
    theirs, pairs = with_configs(
        Scorer.of(known, SAMPLE), [SAMPLE / "SAMPLE_evaluation_config.json"]
    )
    ndv = {"aseg": "moving", "lumir24": "moving", "lumir25": "fixed"}[task]
    protocol = theirs.protocol
    assert (protocol.name, len(pairs), protocol.metrics[0].mask) == ("SAMPLE", 6, ndv)
    assert [metric.name for metric in protocol.metrics] == [
        "Non-diffeomorphic Volumes",
        "DSC",
        "HD95",
    ]
    assert theirs.task.field == known.field


METHOD = {"name": "M", "metric": "dice", "labels": [1]}


@pytest.mark.parametrize(
    ("changes", "error", "problem"),
    [
        (
            {"evaluation_methods": [METHOD | {"metric": "psnr"}]},
            TaskError,
            r"config.json: M: no metric 'psnr'; known are dice, hd95, ndv, sdlogj, tre$",
        ),
        ({"evaluation_methods": []}, TaskError, "evaluation_methods: list should have at least 1"),
        (
            {"evaluation_methods": {"sdlogj": "yes"}},
            TaskError,
            "evaluation_methods.0.labels: input should be",
        ),
        ({"evaluation_methods": {"dice": ["1"]}}, TaskError, "labels.0: input should be"),
        ({"evaluation_methods": {"sdlogj": False}}, TaskError, "should have at least 1"),
        ({"evaluation_methods": {"psnr": True}}, TaskError, "config.json: psnr: no metric 'psnr'"),
        ({"evaluation_methods": "dice"}, TaskError, "evaluation_methods: input should be"),
        (
            {"evaluation_methods": [METHOD | {"labels": ["1"]}]},
            TaskError,
            "labels.0: input should be",
        ),
        ({"expected_shape": [*SHAPE]}, TaskError, "expected_shape: list should have at least 4"),
        ({"expected_shape": [*SHAPE, 1]}, TaskError, r"expected_shape must be \[x, y, z, 3\]"),
        ({"eval_pairs": []}, TaskError, "eval_pairs: list should have at least 1"),
        (
            {"eval_pairs": [{"fixed": "../a.nii", "moving": "b.nii"}]},
            DatasetError,
            "pair 1: fixed: ",
        ),
        ({"name": None}, TaskError, "neither name nor task_name"),
    ],
    ids=str,
)
def test_a_faulty_config_is_refused_in_one_line(
    changes: dict[str, object], error: type[L2RError], problem: str, phantom: Phantom
) -> None:
    with pytest.raises(error, match=problem) as caught:
        with_configs(phantom.scorer, [config(phantom, **changes)])
    assert "\n" not in str(caught.value)


def test_folds_need_a_task_that_says_in_which_image(phantom: Phantom) -> None:
    methods = json.loads(config(phantom).read_text())["evaluation_methods"]
    with pytest.raises(TaskError, match=r"Non-diff.*does not say in which image.*--task lumir24"):
        with_configs(Scorer.of(load_task("oasis"), phantom.folder), [config(phantom)])
    path = config(phantom, evaluation_methods=methods[1:])
    scorer, _ = with_configs(Scorer.of(load_task("oasis"), phantom.folder), [path])
    assert [metric.metric for metric in scorer.protocol.metrics] == ["dice", "hd95", "tre"]


def test_the_oldest_dialect_says_the_same_without_names(phantom: Phantom) -> None:
    methods = {"sdlogj": True, "dice": [1, 2], "hd95": [2], "tre": False}
    path = config(phantom, name=None, task_name="HippocampusMR", evaluation_methods=methods)
    scorer, _ = with_configs(Scorer.of(load_task("hippocampus_mr"), phantom.folder), [path])
    metrics = {metric.metric: metric for metric in scorer.protocol.metrics}
    assert list(metrics) == ["sdlogj", "num_foldings", "dice", "hd95"]
    assert [metric.name for metric in metrics.values()] == [
        *("LogJacDetStd", "num_foldings", "DSC", "HD95"),
    ]
    assert (metrics["dice"].labels, metrics["hd95"].labels) == ((1, 2), (2,))
    plain, _ = with_configs(Scorer.of(load_task("any"), phantom.folder), [path])
    assert plain.protocol.metrics[0].name == "sdlogj"


@pytest.mark.parametrize("masked", [True, False])
def test_the_classic_dialect_has_points_masks_and_a_count_of_folds(
    masked: bool, phantom: Phantom
) -> None:
    path = config(
        phantom,
        name=None,
        task_name="LungCT",
        evaluation_methods=[
            {"name": "LogJacDetStd", "metric": "sdlogj"},
            {"name": "TRE_kp", "metric": "tre", "dest": "keypoints"},
        ],
        masked_evaluation=masked,
    )
    for name in ("lung_ct", "any"):
        scorer, _ = with_configs(Scorer.of(load_task(name), phantom.folder), [path])
        protocol = scorer.protocol
        assert protocol.name == "LungCT"
        spread, folds, points = protocol.metrics
        assert (spread.metric, spread.masks) == ("sdlogj", "masks" if masked else None)
        assert (folds.metric, folds.name) == ("num_foldings", "num_foldings")
        assert (points.metric, points.folder, points.files) == ("key_points", "keypoints", "csv")


def test_of_two_metrics_of_a_kind_that_of_the_same_folder_is_meant(phantom: Phantom) -> None:
    both = [
        {"metric": "tre", "name": "blobs", "folder": "landmarks"},
        {"metric": "key_points", "name": "points", "folder": "keypoints", "files": "fcsv"},
    ]
    task = phantom.task.model_copy(update={"evaluation": {"name": "X", "metrics": both}})
    for dest, kind in (("keypoints", "key_points"), ("landmarks", "tre")):
        methods = [{"name": "T", "metric": "tre", "dest": dest}]
        found, _ = with_configs(
            Scorer.of(task, phantom.folder), [config(phantom, evaluation_methods=methods)]
        )
        (metric,) = found.protocol.metrics
        assert (metric.metric, metric.folder, metric.name) == (kind, dest, "T")


def test_files_that_contradict_each_other_are_refused(phantom: Phantom) -> None:
    other = config(phantom, "b.json", evaluation_methods=[METHOD | {"name": "DSC"}])
    with pytest.raises(TaskError, match=r"b.json: DSC is not what it is in .*config.json"):
        with_configs(phantom.scorer, [config(phantom), other])
    with pytest.raises(DatasetError, match=r"stands more than once"):
        with_configs(phantom.scorer, [config(phantom), config(phantom, "c.json")])


@pytest.mark.parametrize("name", ["sample", "dev"])
def test_the_configs_of_the_real_brains_are_read(name: str, shared: Path) -> None:
    path = shared / "data" / name / f"{name.upper()}_evaluation_config.json"
    scorer, pairs = with_configs(Scorer.of(load_task("aseg"), path.parent), [path])
    assert len(scorer.protocol.metrics) == 3
    assert all(scan.path.is_file() for pair in pairs for scan in (pair.fixed, pair.moving))
