"""The networks that a run file can name."""

from typing import Annotated, TypeAlias

from pydantic import Field

from models.identity import IdentityConfig
from models.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.transmorph.lumir import TransMorphLumirConfig
from models.transmorph.tm_tvf import TmTvfConfig, TmTvfLddmmConfig

ModelConfig: TypeAlias = Annotated[
    IdentityConfig
    | TransMorphLumirConfig
    | TransMorphIxiConfig
    | TransMorphOasisConfig
    | TmTvfConfig
    | TmTvfLddmmConfig,
    Field(discriminator="name"),
]
"""Any network; `name` says which. Each config has `build()`."""
