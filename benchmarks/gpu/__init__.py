"""Everything worth measuring on a GPU, in order of value, in a few minutes.

python -m benchmarks.gpu --output DIR [--minutes 8] [--device cpu]

A row is written to DIR/results.jsonl as soon as it is measured, a table of all to DIR/results.md.
Each part has a share of the time that is left; one that hangs or crashes costs only itself.
"""
