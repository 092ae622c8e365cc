"""Can a run work here? One small check per file or function, and a table of what they found."""
