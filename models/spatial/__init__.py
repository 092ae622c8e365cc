"""Warping, parametrisations of deformations, and coordinate maps."""
