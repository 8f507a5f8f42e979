"""The `store` part of a pipeline."""

from typing import Annotated, Literal

from pydantic import Field

from distiller.schema import Config

Format = Literal["bfloat16", "float32"]


class StoreConfig(Config):
    """Whether the teacher's outputs are computed once and kept (`on`), or at every step (`off`).

    `auto` keeps them if that saves computing and they take no more than `budget_gb` on the disk. `dtype` is the number
    format that the teacher computes in and its outputs are kept in, kept or not.
    """

    mode: Literal["auto", "on", "off"] = "auto"
    dtype: Format = "bfloat16"
    budget_gb: Annotated[float, Field(gt=0)] = 8.0
