"""Optimisation of a pair: the one inner loop, its objective, and the transforms it descends on."""
