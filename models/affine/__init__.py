"""Affine registration in physical space, for any pair of grids."""
