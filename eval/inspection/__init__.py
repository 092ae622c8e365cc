"""Inspection of submissions with the eye: a page of every pair, an index with the worst first."""
