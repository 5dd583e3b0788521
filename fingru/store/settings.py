"""Where runs, trials and models are kept."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SerializationInfo, field_serializer, field_validator

from fingru.errors import MASK, masked
from fingru.settings import Settings

URL_VARIABLE = "FINGRU_STORE_URL"
"""Environment variable with the database URL: a password does not belong on a command line."""

WITH_PASSWORD = {"with_password": True}
"""Context of a dump that stays in this process; every other JSON dump hides the password."""


class StoreSettings(Settings):
    """Where runs, the trial ledger and the model registry are kept."""

    runs: Path = Field(
        default=Path("data/runs"),
        description="Folder of the run directories; the command line's --runs sets it",
    )
    models: Path = Field(
        default=Path("data/models"), description="Folder of the models of `fingru train`"
    )
    url: str | None = Field(
        default=None,
        repr=False,
        description="Database URL, such as postgresql://user@host/fingru; by default that of the "
        f"environment variable {URL_VARIABLE}, else the SQLite file fingru.sqlite in the folder "
        "of the runs",
    )

    @field_validator("url")
    @classmethod
    def _from_environment(cls, url: str | None) -> str | None:
        """Take from the environment what is unset, or was stored without its password."""
        variable = os.environ.get(URL_VARIABLE) or None
        if url is None or (MASK in url and variable is not None and masked(variable) == url):
            return variable
        return url

    @field_serializer("url", when_used="json")
    def _without_password(self, url: str | None, info: SerializationInfo) -> str | None:
        return url if url is None or info.context == WITH_PASSWORD else masked(url)
