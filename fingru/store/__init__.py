"""What was decided is stored: runs on disk, and an index, a trial ledger and a model registry.

A run is a directory that is either complete or says that it is not; every file in it is replaced
in one step and hashed, and a killed run goes on from its last checkpoint. The folders are the
truth. The database beside them (SQLite, or PostgreSQL by URL) remembers what they say, and holds
what no folder can: how many configurations were tried on some data, and which model is champion.

This room knows nothing of markets and models: it imports only the error family. What needs the
database is in ``ledger``, ``registry`` and ``database``, and loads SQLAlchemy; the names below
do so on first use or not at all.
"""

from fingru.store.listing import delete_run, list_runs
from fingru.store.runs import RunDirectory
from fingru.store.settings import StoreSettings
from fingru.store.verify import Mismatch, verify_run

__all__ = [
    "Mismatch",
    "RunDirectory",
    "StoreSettings",
    "delete_run",
    "list_runs",
    "verify_run",
]
