"""Where runs, trials and models are kept."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from fingru.settings import Settings


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
        description="Database URL, such as postgresql://user@host/fingru; "
        "by default the SQLite file fingru.sqlite in the folder of the runs",
    )
