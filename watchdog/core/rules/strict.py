"""What every part of the rule language is made of.

Law: unknown keys, other types and changes are refused.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A section of a rule file. The texts under its fields are what editors show: they go into the JSON Schema."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        populate_by_name=True,
        allow_inf_nan=True,
        use_attribute_docstrings=True,
    )
