"""The methods paragraph: what was run in words, with numbered papers."""

import re

from eval.inspection.methods import load_citations, methods_of
from eval.run_record import RecordedRun, RecordedSettings

CONFIG = {
    "model": {"name": "pyramid"},
    "refine": [
        {
            "name": "instance_optimisation",
            "parametrisation": {"name": "velocity"},
            "regularisers": [{"weight": 1.0, "term": {"name": "diffusion"}}],
            "optimiser": {"name": "fadam"},
            "combine": {"name": "pcgrad"},
            "levels": [
                {"steps": 60, "similarity": {"name": "mind"}},
                {"steps": 10, "similarity": {"name": "lncc"}},
            ],
        }
    ],
}


def written(config: dict[str, object]) -> str:
    settings = RecordedSettings(config=config, device="cpu", versions={"torch": "2.13.0"})
    return methods_of(RecordedRun(regatta="0.1.0", settings=settings)).text


def test_every_part_of_a_run_is_mentioned() -> None:
    text = written(CONFIG)
    for words in (
        "Regatta 0.1.0",
        "pyramid network",
        "stationary velocity field",
        "2 levels of 60 + 10 steps",
        "local normalised cross-correlation",
        "diffusion",
        "FAdam",
        "PCGrad",
        "cpu with PyTorch 2.13.0",
    ):
        assert words in text


def test_every_number_has_its_paper_and_papers_stand_in_the_order_of_their_numbers() -> None:
    text = written(CONFIG)
    paragraph, references = text.split("\n\n")
    cited = [int(n) for group in re.findall(r"\[([\d, ]+)\]", paragraph) for n in group.split(",")]
    listed = [int(n) for n in re.findall(r"^\[(\d+)\]", references, re.MULTILINE)]
    assert sorted(set(cited)) == listed == list(range(1, len(listed) + 1))
    assert list(dict.fromkeys(cited)) == listed


def test_an_unknown_word_is_named_without_a_paper() -> None:
    assert "brand_new was used." in written({"model": {"name": "brand_new"}})


def test_a_run_file_without_anything_started_from_zero() -> None:
    text = written({})
    assert "zero field" in text
    assert "refined" not in text


def test_every_cited_paper_is_known_and_none_is_left_over() -> None:
    citations = load_citations()
    groups = (getattr(citations, name) for name in type(citations).model_fields if name != "papers")
    cited = {key for group in groups for mention in group.values() for key in mention.cite}
    assert cited | {"liu2024", "dice1945"} == set(citations.papers)
