"""Finished pieces of an unfinished run, kept so that a killed run goes on where it stopped.

A checkpoint is what one step of the work returned: named arrays and a little JSON. It is written
atomically, holds no pickles, and one that is damaged counts as not there: its step runs again.
"""

from __future__ import annotations

import io
import json
import logging
import re
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingru.errors import StoreError
from fingru.store.files import explained, read_bytes_if_there, write_bytes_atomic
from fingru.store.strict_json import to_json_bytes

Arrays = dict[str, NDArray[Any]]

_META = "meta"
_ARRAY = "array."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*")
_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, NotImplementedError)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run."""

    folder: Path  # made with the first checkpoint

    def save(self, name: str, arrays: Mapping[str, NDArray[Any]], meta: object) -> None:
        """Keep the result of one finished step: arrays of numbers, flags or text, and JSON.

        Raises ``StoreError`` if it cannot be written, or the name has more than letters, digits
        and ``. _ = -``; ``ValueError`` for arrays of objects.
        """
        if any(np.asarray(values).dtype.hasobject for values in arrays.values()):
            raise ValueError(f"checkpoint {name!r} holds Python objects: store plain arrays")
        named = {_ARRAY + key: np.asarray(values) for key, values in arrays.items()}
        named[_META] = np.frombuffer(to_json_bytes(meta), dtype=np.uint8)
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **named)
        write_bytes_atomic(self._path(name), stream.getvalue())

    def load(self, name: str) -> tuple[Arrays, dict[str, Any]] | None:
        """Arrays and meta of a finished step, or None if it has to run (again).

        Raises ``StoreError`` if the file is there but the operating system refuses to read it.
        """
        path = self._path(name)
        content = read_bytes_if_there(path)
        if content is None:
            return None
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                named = {key: stored[key] for key in stored.files}
            meta = json.loads(named.pop(_META).tobytes())
        except _DAMAGE as error:
            logger.warning("%s is damaged (%s): its step runs again", path, error)
            return None
        return {key.removeprefix(_ARRAY): values for key, values in named.items()}, meta

    def names(self) -> list[str]:
        """Names of the stored checkpoints, damaged ones too, sorted."""
        return sorted(path.stem for path in self.folder.glob("[!.]*.npz"))

    def drop(self) -> None:
        """Remove all of them, once the run is complete."""
        if self.folder.exists():
            with explained("delete", self.folder):
                shutil.rmtree(self.folder)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise StoreError(
                f"{name!r} is not a name for a checkpoint", "use letters, digits, dots, dashes"
            )
        return self.folder / f"{name}.npz"
