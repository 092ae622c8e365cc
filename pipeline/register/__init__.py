"""The main job: a pair list in, displacement fields out."""
