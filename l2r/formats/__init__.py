"""Formats of images, label maps and fields, one per file."""
