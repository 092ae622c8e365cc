"""Experiments: several systems, trained with several seeds, on the same pairs, in one table."""
