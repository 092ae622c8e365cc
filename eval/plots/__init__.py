"""Plots that pages draw as SVG: axes, boxes, and numbers as text."""
