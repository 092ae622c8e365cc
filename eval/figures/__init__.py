"""Figures for papers, one kind a function: pairs in three planes, curves, box plots."""
