"""Properties of every metric of the catalog."""

from collections.abc import Iterable
from dataclasses import astuple, replace
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from eval.metrics.base import MetricBase, Result
from eval.metrics.catalog import Metric
from eval.metrics.key_points import KeyPoints
from eval.metrics.lncc import LnccMetric
from eval.metrics.ndv import Ndv
from eval.metrics.num_foldings import NumFoldings
from eval.metrics.sdlogj import SdLogJ
from eval.metrics.structural import StructureMetric
from l2r.pairs import Pair
from tests.eval.conftest import LABELS, Phantom

KINDS = get_args(get_args(Metric)[0])
CASE = {"labels": 0, "images": 1, "landmarks": 2}
"""A pair of the phantom that has this kind of ground truth."""
FAULTY = {SdLogJ, NumFoldings}
"""Reproduce a fault of the scorers, and say so whenever it matters."""


def make(kind: type[MetricBase]) -> MetricBase:
    needed = {"mask": "moving"} if kind is Ndv else {}
    return kind(name="M", **needed)


SEVERAL = [kind for kind in KINDS if issubclass(kind, StructureMetric) or kind is KeyPoints]
"""Metrics with one value per structure or point."""


def parametrised(kinds: Iterable[type[MetricBase]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", [*kinds], ids=lambda kind: kind.__name__)


every_metric = parametrised(KINDS)


def score(metric: MetricBase, phantom: Phantom) -> Result:
    return metric(phantom.case(CASE[metric.folder]))


def test_the_names_in_task_files_are_distinct() -> None:
    names = [kind.model_fields["metric"].default for kind in KINDS]
    assert len(set(names)) == len(names) >= 4


@every_metric
def test_it_says_its_unit_and_direction(kind: type[MetricBase]) -> None:
    assert make(kind).unit in {"", "%", "mm", "voxels"}
    assert kind.better in {"higher", "lower"}
    assert make(kind).folder in CASE


@every_metric
def test_its_settings_are_fixed_and_a_typo_is_refused(kind: type[MetricBase]) -> None:
    metric = make(kind)
    with pytest.raises(ValidationError, match="frozen"):
        metric.name = "other"
    with pytest.raises(ValidationError, match="label_ids"):
        kind.model_validate(metric.model_dump() | {"label_ids": 1})


@every_metric
def test_it_survives_being_written_and_read(kind: type[MetricBase]) -> None:
    metric = make(kind)
    assert kind.model_validate(metric.model_dump()) == metric


@every_metric
def test_it_is_a_finite_number_that_repeats(kind: type[MetricBase], phantom: Phantom) -> None:
    first, second = score(make(kind), phantom), score(make(kind), phantom)
    np.testing.assert_equal(astuple(first), astuple(second))
    assert isinstance(first.mean, float)
    assert np.isfinite(first.mean)
    assert first.mean >= 0
    assert first.note == "" or kind in FAULTY


@parametrised(SEVERAL)
def test_details_are_one_value_per_structure_or_point(
    kind: type[MetricBase], phantom: Phantom
) -> None:
    result, points = score(make(kind), phantom), 6
    assert len(result.detailed) == (points if kind is KeyPoints else len(LABELS))
    assert result.mean == pytest.approx(np.nanmean(result.detailed))


@parametrised(kind for kind in KINDS if kind not in SEVERAL)
def test_details_of_a_metric_with_one_value_are_that_value(
    kind: type[MetricBase], phantom: Phantom
) -> None:
    result = score(make(kind), phantom)
    assert result.detailed == result.mean


@every_metric
def test_it_leaves_the_field_alone(kind: type[MetricBase], phantom: Phantom) -> None:
    metric = make(kind)
    case = phantom.case(CASE[metric.folder])
    before = case.vectors.copy()
    case.vectors.setflags(write=False)
    metric(case)
    np.testing.assert_array_equal(case.vectors, before)


@every_metric
@pytest.mark.parametrize("order", ["C", "F"])
def test_precision_and_layout_in_memory_do_not_matter(
    kind: type[MetricBase], order: str, phantom: Phantom
) -> None:
    metric = make(kind)
    case = phantom.case(CASE[metric.folder])
    other = replace(case, vectors=np.array(case.vectors, np.float64, order=order))
    np.testing.assert_equal(astuple(metric(other)), astuple(score(metric, phantom)))


@every_metric
def test_a_field_that_does_nothing_scores_as_unregistered(
    kind: type[MetricBase], phantom: Phantom
) -> None:
    metric = make(kind)
    case = phantom.case(CASE[metric.folder])
    case.vectors[...] = 0
    result = metric(case)
    assert result.unregistered in {None, result.mean}


def aligned_with_itself(metric: MetricBase, phantom: Phantom) -> float:
    case = phantom.case(CASE[metric.folder])
    fixed = case.pair.fixed
    return metric(replace(case, pair=Pair(fixed, fixed), vectors=0 * case.vectors)).mean


@parametrised(kind for kind in KINDS if kind is not LnccMetric)
def test_aligning_an_image_with_itself_is_perfect(kind: type[MetricBase], phantom: Phantom) -> None:
    perfect = {"higher": 1.0, "lower": 0.0}[kind.better]
    found = aligned_with_itself(make(kind), phantom)
    assert found == pytest.approx(perfect, rel=1e-12, abs=1e-12)  # rounding of a few sums


def test_local_correlation_with_itself_is_not_perfect_where_windows_are_flat(
    phantom: Phantom,
) -> None:
    assert (
        score(make(LnccMetric), phantom).mean < aligned_with_itself(make(LnccMetric), phantom) < 1
    )
