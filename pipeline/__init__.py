"""The stages and the command line: a pair list in, displacement fields out."""

import os

TORCH_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait for work leave the core to others
    "THP_MEM_ALLOC_ENABLE": "1",  # large pages: faults of small ones took a fifth of a run
}
"""Read when torch is loaded, so set before; decision 4 has the figures."""

for _name, _value in TORCH_ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
