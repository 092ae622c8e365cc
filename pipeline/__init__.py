"""The stages and the command line: a pair list in, displacement fields out."""
