"""Files of trained weights: found, read, matched with a network, converted."""
