"""What a registered model's own folder says of its standing, so that no lost database forgets it.

Every change of the registry writes ``standing.json`` into the folders of the models that it
concerns. With them the registry can be made anew (``rebuild``), and whoever looks for the champion
notices that a registry has gone instead of guessing.
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
_MEND = "restore it from a copy, or remove it and promote a model by hand"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """A model as its folder tells it.

    Parameters
    ----------
    folder
        Where it is now.
    model
        Fields of a ``registry.ModelRecord`` but the path.
    history
        Every change of champion it was part of, as fields of a ``registry.Promotion``.
    """

    folder: Path
    model: dict[str, Any]
    history: list[dict[str, Any]]

    @property
    def model_id(self) -> str:
        """Id in the registry."""
        return str(self.model["id"])


def write_standings(models: Iterable[dict[str, Any]], history: Iterable[dict[str, Any]]) -> None:
    """Write down in the folder of each model what the registry says of it now.

    A folder that is gone or may not be written is left out; the registry itself has changed
    already.
    """
    changes = list(history)
    for model in models:
        folder = Path(model["path"])
        own = [c for c in changes if model["id"] in (c["from_model"], c["to_model"])]
        told = {key: value for key, value in model.items() if key != "path"} | {"history": own}
        try:
            if folder.is_dir() and _stored(folder) != to_json_value(told):
                write_json(folder / STANDING_FILE, told)
        except StoreError as error:
            logger.warning("the standing of model %s is not kept: %s", model["id"], error)


def read_standings(models: Path) -> list[Standing]:
    """Standings of all models of a folder that were ever registered, by folder name.

    Raises
    ------
    StoreError
        If one is damaged.
    """
    found = []
    for path in sorted(models.glob(f"*/{STANDING_FILE}")):
        told = read_json(path)
        check_shape(told, _SHAPE, str(path), _MEND)
        history = told.pop("history")
        for change in history:
            check_shape(change if isinstance(change, dict) else {}, _CHANGE, str(path), _MEND)
        kept = {key: told[key] for key in _SHAPE if key != "history"}
        found.append(Standing(path.parent, kept, history))
    return found


def _stored(folder: Path) -> dict[str, Any] | None:
    try:
        return read_json(folder / STANDING_FILE)
    except StoreError:
        return None
