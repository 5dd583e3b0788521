"""Where the shipped strategies, sample data and dashboard are.

In a checkout they are beside the package, in a wheel inside it: ``strategies`` and ``dashboard``
are too general names for the top of site-packages.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def bundled_path(name: str) -> Path:
    """Path of a bundled file or folder, such as ``strategies`` or ``data/us_stocks.csv.gz``.

    Raises ``FileNotFoundError`` if it is missing: a broken installation, not a user's error.
    """
    for root in (_PACKAGE / "_bundled", _PACKAGE.parent):
        if (candidate := root / name).exists():
            return candidate
    raise FileNotFoundError(f"fingru was installed without its bundled {name!r}")
