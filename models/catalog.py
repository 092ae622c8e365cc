"""The networks that a run file can name."""

from typing import Annotated, TypeAlias

from pydantic import Field

from models.identity import IdentityConfig
from models.transmorph.config import TransMorphLumirConfig

ModelConfig: TypeAlias = Annotated[
    IdentityConfig | TransMorphLumirConfig, Field(discriminator="name")
]
"""Any network; `name` says which. Each config has `build()`."""
