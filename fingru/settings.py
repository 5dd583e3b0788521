"""The base of all typed settings: frozen, and strict about unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen group of settings; an unknown key or a wrong type is refused when it is built."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
