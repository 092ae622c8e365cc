"""Segmentation of brains: soft labels for registration, training and judging without labels."""
