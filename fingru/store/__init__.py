"""Runs on disk, and a database with an index of them, a trial ledger and a model registry.

A run is a directory that is either complete or says that it is not; every file in it is replaced
in one step and hashed, and a killed run goes on from its last checkpoint. The folders are the
truth. The database beside them (SQLite, or PostgreSQL by URL) indexes them, and holds what no
folder can: how many configurations were tried on some data, and which model is champion.

This room knows nothing of markets and models. SQLAlchemy is loaded by ``ledger``, ``registry``
and ``database``; the names below load it on first use or not at all.
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
