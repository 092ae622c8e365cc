"""From raw heads to the challenge's grid, and fields from there to the heads' own spaces."""
