"""Spatial transforms in physical space, and what is done with them; numpy and scipy only."""
