"""The contract: what a task, a pair, a displacement field and a submission are.

Everything here is numpy, nibabel and pydantic; torch is forbidden, so that the judge can refuse
what the pipeline writes without needing the pipeline.
"""

__version__ = "0.1.0"
