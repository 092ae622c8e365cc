"""Judgement on a submission before its upload: would the scorer accept it, in the right units?"""

from l2r.check.findings import ALL, OTHERS, Finding, check_submission

__all__ = ["ALL", "OTHERS", "Finding", "check_submission"]
