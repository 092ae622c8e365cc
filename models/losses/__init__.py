"""Terms of an objective, one per file: lower is better, the gradient reaches the moving side."""
