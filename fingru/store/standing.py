"""The standing of a registered model, kept in its own folder beside the registry.

Every change of the registry writes ``standing.json`` into the folders of the models it concerns.
From them a lost registry can be rebuilt, and its loss is noticed when a champion is looked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fingru.errors import StoreError
from fingru.store.strict_json import check_shape, read_json, to_json_value, write_json

STANDING_FILE = "standing.json"
_SHAPE = {
    "id": str, "created_at": str, "data_sha256": str, "status": str, "scores": dict,
    "reason": str, "history": list,
}  # fmt: skip
_CHANGE = {"at": str, "action": str, "actor": str, "from_model?": str, "to_model": str,
           "reason": str}  # fmt: skip
_FIX = "restore it from a copy, or remove it and promote a model by hand"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """The standing of a model as stored in its folder."""

    folder: Path  # where it is now
    model: dict[str, Any]  # fields of a ``registry.ModelRecord`` but the path
    history: list[dict[str, Any]]  # fields of each ``registry.Promotion`` that concerns it

    @property
    def model_id(self) -> str:
        """Id in the registry."""
        return str(self.model["id"])


def write_standings(models: Iterable[dict[str, Any]], history: Iterable[dict[str, Any]]) -> None:
    """Write into the folder of each model what the registry says of it now.

    A folder that is gone or read-only is skipped; the registry itself has changed already.
    """
    changes = list(history)
    for model in models:
        folder = Path(model["path"])
        own = [c for c in changes if model["id"] in (c["from_model"], c["to_model"])]
        standing = {k: v for k, v in model.items() if k != "path"} | {"history": own}
        try:
            if folder.is_dir() and _stored(folder) != to_json_value(standing):
                write_json(folder / STANDING_FILE, standing)
        except StoreError as error:
            logger.warning("the standing of model %s is not kept: %s", model["id"], error)


def read_standings(models: Path) -> list[Standing]:
    """Standings of all models of a folder, by folder name; ``StoreError`` if one is damaged."""
    standings = []
    for path in sorted(models.glob(f"*/{STANDING_FILE}")):
        stored = read_json(path)
        check_shape(stored, _SHAPE, str(path), _FIX)
        history = stored.pop("history")
        for change in history:
            check_shape(change if isinstance(change, dict) else {}, _CHANGE, str(path), _FIX)
        model = {key: stored[key] for key in _SHAPE if key != "history"}
        standings.append(Standing(path.parent, model, history))
    return standings


def _stored(folder: Path) -> dict[str, Any] | None:
    try:
        return read_json(folder / STANDING_FILE)
    except StoreError:
        return None
