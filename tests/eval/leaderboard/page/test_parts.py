"""Numbers, axes, boxes and colours of the page's sections."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.leaderboard.board import CaseValues, MetricColumn
from eval.leaderboard.page_parts.heat import SIDE_STEPS, STEPS, ColourScale, medians, scale_of
from eval.leaderboard.page_parts.numbers import direction, p_value
from eval.leaderboard.page_parts.worst import WorstCase, worst_case
from eval.plots.axis import PlotAxis, axis_of
from eval.plots.boxes import BoxSummary, box_of
from eval.plots.numbers import decimals, short, written

HIGHER = MetricColumn(name="DSC", better="higher", weight=1)
LOWER = MetricColumn(name="TRE", unit="mm", better="lower", weight=1)
FINITE = st.floats(-1e6, 1e6)


def test_box_by_hand() -> None:
    assert box_of([7.0]) == BoxSummary(7.0, 7.0, 7.0, 7.0, 7.0)
    # Quartiles 1.5 and 4.5, so whiskers reach to -3 and 9 at most: 100 is outside.
    assert box_of([100.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]) == BoxSummary(0.0, 1.5, 3.0, 4.5, 5.0)


@given(st.lists(FINITE, min_size=1, max_size=50))
def test_a_box_is_in_order_and_its_whiskers_are_cases(numbers: list[float]) -> None:
    box = box_of(numbers)
    assert box.lower <= box.median <= box.upper
    assert {box.low, box.high} <= set(numbers)
    assert box.median == pytest.approx(np.median(numbers))


@given(st.lists(FINITE, min_size=1, max_size=50))
def test_an_axis_holds_all_numbers_in_order(numbers: list[float]) -> None:
    axis = axis_of(numbers)
    places = [axis.at(n) for n in sorted(numbers)]
    assert places == sorted(places)
    assert all(1.9 <= place <= 98.1 for place in places)
    assert all(1.9 <= axis.at(tick) <= 98.1 for tick in axis.ticks())


def test_ticks_are_round() -> None:
    assert PlotAxis(0.655, 0.83).ticks() == pytest.approx((0.7, 0.75, 0.8))
    assert PlotAxis(-3.0, 12.0).ticks() == pytest.approx((0, 5, 10))


def test_decades_make_the_axis_logarithmic_with_a_place_for_zero() -> None:
    axis = axis_of([0.0, 0.0, 0.002, 0.003, 0.02, 1.2])
    assert axis.threshold == pytest.approx(0.001)
    assert axis.ticks() == pytest.approx((0, 0.01, 0.1, 1))
    assert PlotAxis(0.0, 12.0, 1e-4).ticks() == pytest.approx((0, 1e-3, 1e-1, 10))
    assert PlotAxis(0.0, 5.0, 1.0).ticks() == (0, 1)
    assert axis.at(0.0) == pytest.approx(2)
    steps = np.diff([axis.at(n) for n in (0.01, 0.1, 1.0)])
    assert steps[0] == pytest.approx(steps[1], rel=0.01)


def test_one_number_is_in_the_middle_of_its_axis() -> None:
    assert axis_of([0.0]).at(0.0) == axis_of([5.0, 5.0]).at(5.0) == pytest.approx(50)


def values(*labels: float | None, cases: tuple[float | None, ...] = ()) -> CaseValues:
    return CaseValues(submission="a", metric="DSC", cases=cases, labels=labels)


def test_better_is_always_the_stronger_colour() -> None:
    several = [values(0.0, 1.0), values(0.5, 0.5)]
    dice, tre = scale_of(HIGHER, several), scale_of(LOWER, several)
    assert dice.step(1.0) == tre.step(0.0) == STEPS
    assert dice.step(0.0) == tre.step(1.0) == 0
    assert dice.side(1.0) == tre.side(-1.0) == SIDE_STEPS
    assert dice.side(-1.0) == tre.side(1.0) == -SIDE_STEPS


@given(FINITE, FINITE, FINITE)
def test_colours_stay_on_the_scale(worst: float, best: float, value: float) -> None:
    scale = ColourScale(worst, best, abs(best - worst))
    assert 0 <= scale.step(value) <= STEPS
    assert abs(scale.side(value)) <= SIDE_STEPS


def test_equal_numbers_have_the_best_colour_and_no_side() -> None:
    scale = scale_of(HIGHER, [values(0.5), values(0.5)])
    assert (scale.step(0.5), scale.side(0.0)) == (STEPS, 0)


def test_the_median_of_a_structure_leaves_out_who_lacks_it() -> None:
    assert medians([values(1.0, None), values(2.0, None), values(None, None)]) == [1.5, None]


def test_the_worst_case_follows_the_metrics_direction() -> None:
    made = values(cases=(0.5, None, 0.1, 0.9, 0.1))
    assert worst_case(made, HIGHER) == WorstCase(2, 0.1)
    assert worst_case(made, LOWER) == WorstCase(3, 0.9)
    assert worst_case(values(cases=(None, None)), LOWER) is None


def test_digits_follow_the_largest_number() -> None:
    assert [decimals([n]) for n in (0.0, 0.78, 4.9, 19.4, 120.0, 1e7)] == [4, 4, 4, 3, 2, 0]
    assert decimals([None]) == decimals([]) == 4


def test_how_numbers_are_written() -> None:
    assert [written(n, 2) for n in (None, 0.0, -1.005)] == ["-", "0.00", "-1.00"]
    assert [p_value(p) for p in (None, 0.0, 0.001, 0.05, 0.9994, 1.0)] == [
        "-", "<.001", ".001", ".050", ".999", "1.00",
    ]  # fmt: skip
    assert [short(n) for n in (1.0, 20.5, 0.0001)] == ["1", "20.5", "0.0001"]
    assert direction(HIGHER) == "higher is better"
    assert direction(LOWER) == "mm, lower is better"
