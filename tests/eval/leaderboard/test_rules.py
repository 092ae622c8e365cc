"""Rule files."""

from pathlib import Path

import pytest

from eval.leaderboard.rules import RULES, load_rule, rule_names, rule_of
from l2r.errors import LeaderboardError

RULE = """
name = "mine"
title = "Mine"
text = "Best Dice."
source = "nobody"
comparison = { test = "means" }
score = "rank"
combine = "arithmetic"
groups = [{ name = "Dice", weight = 1, metrics = [{ kind = "dice" }] }]
"""


@pytest.mark.parametrize("name", rule_names())
def test_every_rule_is_named_as_its_file_and_says_where_it_comes_from(name: str) -> None:
    rule = load_rule(name)
    assert rule.name == name
    assert rule.text
    assert "github.com/" in rule.source


def test_no_task_has_two_rules() -> None:
    tasks = [task for name in rule_names() for task in load_rule(name).default_for]
    assert len(tasks) == len(set(tasks))


@pytest.mark.parametrize(
    ("task", "rule"),
    [
        ("lumir24", "lumir24"),
        ("oasis", "l2r_classic_as_coded"),
        ("lung_ct", "l2r_classic_as_coded"),
        ("psmareg26", "psmareg26"),
        ("any", "mean_rank"),
    ],
)
def test_a_task_has_the_rule_of_its_challenge(task: str, rule: str) -> None:
    assert rule_of(task).name == rule


def test_only_the_rule_that_nobody_published_is_marked_inferred() -> None:
    assert [name for name in rule_names() if load_rule(name).inferred] == ["lumir24"]


def test_a_rule_of_ones_own_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(RULE)
    assert load_rule(str(path)).title == "Mine"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('test = "means"', 'test = "guess"', "comparison.test"),
        ('kind = "dice"', 'kind = "dice", name = "DSC"', "by its kind or by its name"),
        ('kind = "dice"', 'kind = "dice", hardest = 0.3', "need a baseline"),
        ("weight = 1", 'weight = 1, capped_by = "x"', "there is no group 'x'"),
        ("weight = 1", "weight = 0", "greater than 0"),
        ('source = "nobody"', "", "source: field required"),
        ('score = "rank"', 'score = "rank"\nfun = 1', "fun: extra inputs"),
    ],
)
def test_a_faulty_rule_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    assert old in RULE
    path.write_text(RULE.replace(old, new))
    with pytest.raises(LeaderboardError, match=message) as raised:
        load_rule(str(path))
    assert "\n" not in str(raised.value)


def test_an_unknown_rule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LeaderboardError, match=r"no rule 'x'; known are .*lumir24.*psmareg26"):
        load_rule("x")
    assert not (RULES / "x.toml").exists()
