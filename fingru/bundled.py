"""Where the shipped strategies, sample data and dashboard are.

In a checkout they stand beside the package; in an installed wheel they travel inside it, because
``strategies`` and ``dashboard`` are names too general for the top of site-packages.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def bundled_path(name: str) -> Path:
    """Path of a bundled file or folder, such as ``strategies`` or ``data/us_stocks.csv.gz``.

    Raises ``FileNotFoundError`` if neither the wheel nor the checkout holds it: a broken
    installation, not a user's error.
    """
    for root in (_PACKAGE / "_bundled", _PACKAGE.parent):
        if (candidate := root / name).exists():
            return candidate
    raise FileNotFoundError(f"fingru was installed without its bundled {name!r}")
