"""Training: one loop, and the parts that recipes are composed of."""
