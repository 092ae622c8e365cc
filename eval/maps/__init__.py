"""Maps of a pair and its field in a plane: numbers in, colours out, without a plotting library."""
