"""Import of users' Python files and modules; files always from their source, never a ``.pyc``.

Python takes a ``.pyc`` as current if size and second of change agree: a file changed twice in a
second would run in its old version, and a foreign ``.pyc`` could hold other code than the source
whose hash was checked.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from fingru.errors import FingruError

OWN_MODULE = "fingru_own_"  # prefix of the modules' names of users' files

_SCORES = "view.forecast itself (.interval(0.9), .quantile(0.05), .distribution.cdf(y))"

_MOVED = {
    "fingru.risk": "fingru.strategy",
    "fingru.views": "fingru.strategy.view",
    "fingru.backtest.views": "fingru.strategy.view",
    "fingru.forecast.scores": _SCORES,
    "fingru.measures.scores": _SCORES,
    "fingru.forecast.skewed_t": "fingru.distributions.skewed_t",
    "fingru.forecast.calibration": "fingru.measures.calibration",
    "fingru.backtest.metrics": "fingru.measures.returns",
    "fingru.backtest.statistics": "fingru.measures.inference",
}
"""Present names of modules that strategies and features may import by earlier names."""


@dataclass(frozen=True)
class OwnCode:
    """Code of a user, read once."""

    source: bytes
    # gives the module; a file runs again at each call, so that no state of the module outlives a
    # call, and a module is imported once, as Python does
    load: Callable[[], ModuleType]


def find_own_code(place: str, kind: str, refusal: type[FingruError]) -> OwnCode:
    """Find a Python file (``my.py``), or a module, also one in the working directory.

    ``kind`` is what it is for, such as ``strategy``. Raises ``refusal`` if the file does not
    exist, or the code cannot be imported, naming file and line; so does ``load``.
    """
    if not place.endswith(".py"):
        module = _guarded(lambda: _imported(place), place, kind, refusal)
        file = inspect.getsourcefile(module)
        source = Path(file).read_bytes() if file else repr(module).encode()
        return OwnCode(source, lambda: module)
    path = Path(place).expanduser()
    if not path.is_file():
        raise refusal(
            f"{kind} file {path} does not exist",
            f"give its path from {Path.cwd()}, or an absolute one",
        )
    source = path.read_bytes()
    name = f"{OWN_MODULE}{kind}_{path.stem}_{hashlib.sha256(source).hexdigest()[:16]}"
    return OwnCode(
        source,
        lambda: _guarded(lambda: import_source(name, path, source), str(path), kind, refusal),
    )


def import_source(name: str, path: Path, source: bytes | None = None) -> ModuleType:
    """Import a Python file, or its content ``source`` read earlier, under a name.

    The module is in ``sys.modules``, where dataclasses look theirs up while they are made, but
    not if the import fails.
    """
    text = path.read_bytes() if source is None else source
    code = compile(text, str(path), "exec", dont_inherit=True)
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, origin=str(path))
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(code, vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _imported(name: str) -> ModuleType:
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)


def _guarded(
    load: Callable[[], ModuleType], place: str, kind: str, refusal: type[FingruError]
) -> ModuleType:
    """Load a module; raise ``refusal`` with the file and line where it failed."""
    try:
        return load()
    except SyntaxError as error:
        raise refusal(
            f"{kind} {place} is not valid Python: {error.msg}",
            f"see {error.filename}, line {error.lineno}",
        ) from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if "importlib" not in f.filename and f.filename != __file__]
        where = f"see {own[-1].filename}, line {own[-1].lineno}" if own else "check the name"
        missing = (isinstance(error, ImportError) and error.name) or ""
        problem = (
            f"{kind} {place} imports {missing}, which is {_MOVED[missing]} now"
            if missing in _MOVED
            else f"{kind} {place} cannot be imported, {type(error).__name__}: {error}"
        )
        raise refusal(problem, where) from error
