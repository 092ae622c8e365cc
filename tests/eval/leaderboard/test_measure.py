"""What rules compare: entries, replacements, the hardest of them."""

import numpy as np
import pytest

from eval.leaderboard.measure import MetricValues, choose, measure, units_of, weights
from eval.leaderboard.published import MetricInfo
from eval.leaderboard.rules import MetricSelector, RankingRule, load_rule
from eval.leaderboard.store import LoadedSubmission, MetricTable, TaskSubmissions

DICE = MetricInfo(name="DSC", kind="dice", better="higher")
HD95 = MetricInfo(name="HD95", kind="hd95", better="lower")
TRE = MetricInfo(name="TRE", kind="tre", better="lower")
NDV = MetricInfo(name="NDV", kind="ndv", better="lower")
LUMIR = load_rule("lumir24")
CODED = load_rule("l2r_classic_as_coded")
PSMA = load_rule("psmareg26")
NAN = float("nan")


def table(means: list[float], labels: list[list[float]] | None = None) -> MetricTable:
    values = np.array(means)
    has = ~np.isneginf(values)  # here, minus infinity means that the case has no score
    grid = np.empty((len(means), 0)) if labels is None else np.array(labels)
    return MetricTable(np.where(has, values, np.nan), has, grid)


def entries(
    *teams: dict[str, MetricTable], cases: tuple[str, ...] = ("a", "b", "c")
) -> TaskSubmissions:
    names = ["initial", "x", "y"]
    return TaskSubmissions(
        cases,
        tuple(
            LoadedSubmission(number, names[number], "2024-10-07T00:00:00Z", "", "", tables)
            for number, tables in enumerate(teams)
        ),
    )


def measures(
    rule: RankingRule, metrics: list[MetricInfo], what: TaskSubmissions
) -> dict[str, MetricValues]:
    return {values.metric.name: values for values in measure(rule, choose(rule, metrics), what)}


def test_cases_count_once_each_by_their_mean() -> None:
    raw = measures(LUMIR, [DICE], entries({"DSC": table([0.1, 0.2, 0.3])}))["DSC"]
    assert raw.values.tolist() == [[0.1, 0.2, 0.3]]
    assert raw.cases.tolist() == [0, 1, 2]


def test_cases_that_nobody_has_a_score_for_are_left_out() -> None:
    raw = measures(LUMIR, [TRE], entries({"TRE": table([-np.inf, 2.0, 3.0])}))["TRE"]
    assert raw.values.tolist() == [[2.0, 3.0]]
    assert raw.cases.tolist() == [1, 2]


def test_undefined_values_are_as_bad_as_can_be() -> None:
    found = measures(
        LUMIR,
        [DICE, HD95],
        entries({"DSC": table([NAN, 0.2, 0.3]), "HD95": table([NAN, np.inf, 3.0])}),
    )
    assert found["DSC"].values.tolist() == [[-np.inf, 0.2, 0.3]]
    assert found["HD95"].values.tolist() == [[np.inf, np.inf, 3.0]]


def test_a_case_that_only_one_team_lacks_is_as_bad_for_it_as_can_be() -> None:
    first, second = {"TRE": table([1.0, 2.0, 3.0])}, {"TRE": table([1.0, -np.inf, 3.0])}
    assert measures(LUMIR, [TRE], entries(first, second))["TRE"].values[1].tolist() == [
        1,
        np.inf,
        3,
    ]


def test_the_coded_rule_replaces_as_the_notebooks_do() -> None:
    """Dice NaN 0, HD95 NaN or infinite 10, TRE NaN 0; a missing HD95 is 5."""
    first = {
        "DSC": table([0.5], [[NAN, 0.5]]),
        "HD95": table([3.0], [[NAN, np.inf]]),
        "TRE": table([NAN]),
    }
    found = measures(CODED, [DICE, HD95, TRE], entries(first, {"DSC": first["DSC"]}, cases=("a",)))
    assert found["DSC"].values[0].tolist() == [0, 0.5]
    assert found["HD95"].values.tolist() == [[10, 10], [5, 5]]
    assert found["TRE"].values[0].tolist() == [0]


def test_every_structure_of_every_case_counts_where_the_rule_says_so() -> None:
    raw = measures(
        CODED,
        [DICE],
        entries({"DSC": table([0.2, 0.5], [[0.1, 0.3], [0.4, 0.6]])}, cases=("a", "b")),
    )["DSC"]
    assert raw.values.tolist() == [[0.1, 0.3, 0.4, 0.6]]
    assert raw.cases.tolist() == [0, 0, 1, 1]


def test_the_hardest_are_those_of_the_unregistered_pairs_for_every_team() -> None:
    """Ten entries, the three lowest of `initial` are at 1, 4 and 9."""
    initial = np.array([[0.5, 0.1, 0.6, 0.7, 0.2], [0.8, 0.9, 0.6, 0.7, 0.3]])
    team = np.arange(10.0).reshape(2, 5) / 10
    found = measures(
        CODED,
        [DICE],
        entries(
            {"DSC": table([0.5, 0.5], initial.tolist())},
            {"DSC": table([0.5, 0.5], team.tolist())},
            cases=("a", "b"),
        ),
    )["DSC, hardest 30%"]
    np.testing.assert_allclose(found.values, [[0.1, 0.2, 0.3], [0.1, 0.4, 0.9]])
    assert found.cases.tolist() == [0, 0, 1]


def test_the_hardest_are_left_out_without_the_unregistered_pairs() -> None:
    what = TaskSubmissions(
        ("a",), (LoadedSubmission(0, "x", "", "", "", {"DSC": table([0.5], [[0.1, 0.9]])}),)
    )
    assert list(measures(CODED, [DICE], what)) == ["DSC"]


def test_both_directions_of_a_patient_are_one_entry() -> None:
    cases = ("0001_00<--0001_01", "0002_00<--0002_01", "0001_01<--0001_00", "0002_01<--0002_00")
    what = entries({"DSC": table([0.2, 0.5, 0.4, NAN])}, cases=cases)
    raw = measures(PSMA, [DICE], what)["DSC"]
    np.testing.assert_allclose(raw.values, [[0.3, -np.inf]])
    units = units_of(PSMA, cases)
    assert units.tolist() == [0, 1, 0, 1]
    assert raw.oriented(units).units.tolist() == [0, 1]


def test_pairs_of_two_subjects_are_a_unit_of_their_own() -> None:
    cases = ("2_0<--1_0", "3_0<--1_0", "1_0<--2_0")
    assert units_of(PSMA, cases).tolist() == [0, 1, 0]
    assert units_of(LUMIR, cases).tolist() == [0, 1, 2]


def test_below_the_floor_all_are_equal() -> None:
    raw = measures(PSMA, [NDV], entries({"NDV": table([0.0, 0.004, 0.1])}, cases=("1", "2", "3")))
    assert raw["NDV"].values.tolist() == [[0.005, 0.005, 0.1]]


def test_for_the_tests_greater_is_better() -> None:
    found = measures(
        LUMIR, [DICE, HD95], entries({"DSC": table([0.5]), "HD95": table([2.0])}, cases=("a",))
    )
    units = np.array([0])
    assert found["DSC"].oriented(units).values.tolist() == [[0.5]]
    assert found["HD95"].oriented(units).values.tolist() == [[-2.0]]


def test_weights_are_shared_in_a_group_and_add_to_one() -> None:
    other = DICE.model_copy(update={"name": "PET DSC"})
    shares = weights(choose(PSMA, [DICE, other, NDV]))
    assert shares == pytest.approx({"DSC": 1 / 3, "PET DSC": 1 / 3, "NDV": 1 / 3})
    assert weights(choose(LUMIR, [DICE, HD95, TRE, NDV]))["TRE"] == pytest.approx(0.4)


def test_a_selector_picks_by_kind_or_by_name() -> None:
    assert MetricSelector(kind="dice").picks("dice", "DSC")
    assert MetricSelector(name="MTV Percent Error").picks("lesions", "MTV Percent Error")
    assert not MetricSelector(kind="dice").picks("hd95", "HD95")
