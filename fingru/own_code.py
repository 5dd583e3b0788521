"""How Python files of a user's own are imported: always from their source.

A ``.pyc`` beside a file is taken for current when size and second of change agree; a file changed
twice in a second would run as it was, and one that came from elsewhere could bring other code than
the source whose hash was checked.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


class _SourceOnly(SourceFileLoader):
    """Compiles the source at every import, and keeps nothing."""

    def get_code(self, fullname: str) -> CodeType:
        """Code of the source as it is now."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def import_source(name: str, path: Path) -> ModuleType:
    """Import a Python file under a name, leaving no trace of it where it fails.

    Parameters
    ----------
    name
        Of the module, in ``sys.modules`` too: dataclasses look theirs up while they are made.
    path
        Of the Python file.
    """
    loader = _SourceOnly(name, str(path))
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, loader, origin=str(path))
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
