"""Guidance: while a network trains, a teacher turns its predictions into better ones to learn."""
