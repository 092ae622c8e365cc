"""Every tool by name."""

from benchmarks.peers import convexadam, demons, elastix, fireants, greedy, syn

TOOLS = {
    "greedy": greedy.TOOL,
    "convexadam": convexadam.TOOL,
    "syn": syn.TOOL,
    "syn_papers": syn.AS_IN_PAPERS,
    "demons": demons.TOOL,
    "elastix": elastix.TOOL,
    "fireants": fireants.TOOL,
}
