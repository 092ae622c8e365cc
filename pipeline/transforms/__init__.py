"""The commands that apply, invert, compose and convert transforms."""
