"""Every tool by name."""

from benchmarks.peers import convexadam, greedy, syn

TOOLS = {
    "greedy": greedy.TOOL,
    "convexadam": convexadam.TOOL,
    "syn": syn.TOOL,
}
