"""What a task's scorer computes."""

import pytest

from eval.protocol import Aggregates, CaseGroup, protocol_of
from l2r.errors import TaskError
from l2r.task import Task, load_task, task_names
from tests.l2r.making import pair

NDV = {"metric": "ndv", "name": "NDV", "mask": "moving"}
DICE = {"metric": "dice", "name": "DSC"}


def task(**evaluation: object) -> Task:
    return load_task("any").model_copy(update={"evaluation": evaluation})


@pytest.mark.parametrize("name", task_names())
def test_every_task_has_a_protocol(name: str) -> None:
    protocol = protocol_of(load_task(name))
    assert protocol.name
    assert {metric.metric for metric in protocol.metrics} & {"ndv", "sdlogj"}
    assert {metric.metric for metric in protocol.metrics} & {"dice", "key_points", "ssim"}


def test_lumir_asks_for_133_structures_with_the_background_and_for_landmarks() -> None:
    for name, mask in (("lumir24", "moving"), ("lumir25", "fixed")):
        protocol = protocol_of(load_task(name))
        assert len(protocol.labels) == len(set(protocol.labels)) == 133
        assert protocol.labels[0] == 0
        assert protocol.metrics[0].mask == mask
        assert [metric.name for metric in protocol.metrics] == [
            "Non-diffeomorphic Volumes",
            "DSC",
            "HD95",
            "TRE_lm",
        ]


def test_without_labels_those_of_the_fixed_map_count() -> None:
    assert protocol_of(load_task("any")).labels is None


@pytest.mark.parametrize(
    ("evaluation", "fault"),
    [
        ({"name": "X", "metrics": [{"metric": "psnr", "name": "P"}]}, "psnr"),
        ({"name": "X", "metrics": []}, "metrics"),
        ({"name": "X", "metrics": [DICE, DICE]}, "more than one metric is called dsc"),
        ({"name": "X", "metrics": [DICE], "labels": []}, "labels"),
        ({"name": "X", "metrics": [DICE], "labels": [1, 2, 1]}, "labels"),
        ({"name": "X", "metrics": [DICE], "label": [1]}, "label:"),
        ({"name": "X", "metrics": [NDV | {"mask": "both"}]}, "mask"),
        ({"name": "X", "metrics": [{"metric": "ndv", "name": "N"}]}, "mask"),
        ({"metrics": [DICE]}, "name"),
        (
            {"name": "X", "metrics": [DICE], "warp": "bilinear"},
            "no warp 'bilinear'; there are map_coordinates",
        ),
        ({"name": "X", "metrics": [DICE], "aggregates": {"quantile": 30}}, "aggregates.quantile"),
        (
            {"name": "X", "metrics": [DICE], "aggregates": {"worst": {"DCS": 0}}},
            "called dcs; there",
        ),
        ({"name": "X", "metrics": [DICE], "aggregates": {"quantiles": {"D": 0.1}}}, "called d; th"),
        (
            {
                "name": "X",
                "metrics": [DICE],
                "aggregates": {"groups": [{"name": "G", "metric": "HD95", "fixed": [1, 2]}]},
            },
            "no metric is called hd95; there are dsc",
        ),
    ],
    ids=str,
)
def test_a_fault_in_the_table_is_one_line_that_names_it(
    evaluation: dict[str, object], fault: str
) -> None:
    with pytest.raises(TaskError) as raised:
        protocol_of(task(**evaluation))
    message = str(raised.value)
    assert message.startswith("task 'any': evaluation: ")
    assert fault in message
    assert "\n" not in message


@pytest.mark.parametrize(("number", "inside"), [(9, False), (10, True), (12, True), (13, False)])
def test_a_group_holds_the_pairs_of_its_fixed_subjects(number: int, inside: bool) -> None:
    group = CaseGroup(name="G", metric="DSC", fixed=(10, 12))
    assert group.holds(pair(f"A_{number:04}_0000", "A_0011_0000")) == inside


def test_what_is_about_other_metrics_can_be_left_out() -> None:
    groups = tuple(CaseGroup(name=f"G{m}", metric=m, fixed=(1, 2)) for m in ("A", "B"))
    rules = Aggregates(worst={"A": 0.0, "B": 1.0}, quantiles={"B": 0.7}, groups=groups)
    assert rules.about({"A"}) == Aggregates(worst={"A": 0.0}, groups=groups[:1])
    assert rules.about({"A", "B"}) == rules


def test_the_challenges_numbers_are_in_the_task_files() -> None:
    """As MDL-UzL/L2R and JHU-MedImage-Reg/Learn2Reg26_PSMA have them."""
    counts = {"oasis": 35, "abdomen_ctct": 13, "abdomen_mrct": 4, "hippocampus_mr": 2}
    for name, count in (counts | {"psmareg26": 117, "psmareg26_test": 117}).items():
        assert protocol_of(load_task(name)).labels == tuple(range(1, count + 1))
    shapes = {
        "oasis": (160, 224, 192),
        "abdomen_ctct": (192, 160, 256),
        "abdomen_mrct": (192, 160, 192),
        "hippocampus_mr": (64, 64, 64),
        "lung_ct": (192, 192, 208),
        "nlst": (224, 192, 224),
        "thorax_cbct": (390, 280, 300),
        "psmareg26": (192, 192, 288),
    }
    assert {name: load_task(name).data.shape for name in shapes} == shapes
    masked = {"abdomen_mrct", "lung_ct", "nlst"}
    for name in (*counts, "lung_ct", "nlst", "thorax_cbct"):
        spread, folds = protocol_of(load_task(name)).metrics[:2]
        assert (spread.name, spread.masks) == ("LogJacDetStd", "masks" if name in masked else None)
        assert folds.name == "num_foldings"


@pytest.mark.parametrize(
    ("subjects", "groups"),
    [
        (range(3455, 3464), ["ID_dice"]),
        (range(4015, 4024), ["OOD_dice"]),
        (range(4024, 4033), ["MM_dice"]),
        (range(3485, 3494), []),
    ],
)
def test_lumir25_has_the_pairs_of_its_validation_files_in_three_groups(
    subjects: range, groups: list[str]
) -> None:
    """The fixed subjects of LUMIR25_VAL_*_evaluation_config.json."""
    known = protocol_of(load_task("lumir25")).aggregates.groups
    for number in subjects:
        listed = pair(f"L_{number}_0000", "L_0001_0000")
        assert [group.name for group in known if group.holds(listed)] == groups
