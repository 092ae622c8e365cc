"""The metrics: one file each, and a catalog."""
