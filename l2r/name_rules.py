"""The rules by which challenges name fields and cases: a rule is one entry of the table."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from l2r.pairs import Pair, Scan
from l2r.schema import word_of

_VISIT = re.compile(r"(?P<subject>\d{4})_\d{4}_(?P<visit>\d{2})$")


@dataclass(frozen=True)
class NameRule:
    """The names of a pair's field and of its case in the scores.

    Each function raises a `DatasetError` if the images' names do not hold the numbers that it
    needs.
    """

    field: Callable[[Pair], str]
    """Stem of the file that is written, and that every scorer of the rule takes."""
    case: Callable[[Pair], str]
    others: Callable[[Pair], tuple[str, ...]] = lambda _: ()
    """Stems that the scorer takes as well."""


def _by_stem(pair: Pair) -> str:
    return f"disp_{pair.fixed.name}_{pair.moving.name}"


def _short(pair: Pair) -> str:
    return f"disp_{pair.fixed.ids[0]}_{pair.moving.ids[0]}"


def _long(pair: Pair) -> str:
    return f"disp_{'_'.join((*pair.fixed.ids, *pair.moving.ids))}"


def _lumir(pair: Pair) -> str:
    alike = pair.fixed.ids[1] == pair.moving.ids[1]
    return _short(pair) if alike or _first_two(pair) else _long(pair)


def _short_for_the_first_two(pair: Pair) -> tuple[str, ...]:
    return (_short(pair),) if _first_two(pair) else ()


def _first_two(pair: Pair) -> bool:
    return (pair.fixed.ids[1], pair.moving.ids[1]) == ("0000", "0001")


def _by_visits(pair: Pair) -> str:
    return f"disp_{'_'.join((*_visit(pair.fixed), *_visit(pair.moving)))}"


def _visit(scan: Scan) -> tuple[str, str]:
    """Subject and visit, `("0001", "00")` of `PSMARegPSMA_0001_0000_00.nii.gz`."""
    return scan.numbers(_VISIT, "_SSSS_MMMM_TT.nii.gz (subject, modality, visit)")


def _case_of_ids(pair: Pair) -> str:
    return f"{'_'.join(pair.fixed.ids)}<--{'_'.join(pair.moving.ids)}"


def _case_of_visits(pair: Pair) -> str:
    return f"{'_'.join(_visit(pair.fixed))}<--{'_'.join(_visit(pair.moving))}"


NAME_RULES = {
    # `disp_FFFF_MMMM` for one modality or 0000 to 0001, else `disp_FFFF_ff_MMMM_mm`.
    "lumir": NameRule(_lumir, _case_of_ids),
    # `disp_FFFF_ff_MMMM_mm`, and `disp_FFFF_MMMM` as well for 0000 to 0001.
    "long": NameRule(_long, _case_of_ids, _short_for_the_first_two),
    # `disp_FFFF_tt_MMMM_tt` with the number of the visit.
    "psmareg": NameRule(_by_visits, _case_of_visits),
    # `disp_<fixed>_<moving>` of any file names.
    "stem": NameRule(_by_stem, lambda pair: pair.name),
}
"""Every rule by the word that a task file has for it.

Source:
    learn2reg.grand-challenge.org; the LUMIR scorer takes the short name, and only that, for pairs
    of one modality and for 0000 to 0001; `evaluation.py` of MDL-UzL/L2R for the classic tasks:
    their long names, the short ones for 0000 to 0001 alone; `scoring.py` of PSMAReg,
    github.com/JHU-MedImage-Reg/Learn2Reg26_PSMA.
"""


RuleName = Annotated[str, word_of(NAME_RULES, "rule of names")]
"""A word of the table."""
