"""Formats of spatial transforms, one per file."""
