"""The contract: what a task, a pair, a displacement field and a submission are.

Numpy, scipy, nibabel, isal and pydantic do the work, typer and rich the console. Torch is
forbidden, so that the judge can refuse what the pipeline writes without needing the pipeline.
"""

__version__ = "0.1.0"
