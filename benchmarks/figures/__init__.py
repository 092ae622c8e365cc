"""Diagrams, synthetic pairs and curves of experiments; all else is drawn by `regatta figure`."""
