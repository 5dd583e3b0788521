"""Changes of the database's tables, by Alembic; ``database`` runs the ones that are missing.

A revision is a file in ``versions`` that writes its tables out, whatever ``schema`` says by then;
``schema.REVISION`` names the latest. A database without a revision is of a fingru before 0001.
"""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from fingru.store import schema


def scripts() -> ScriptDirectory:
    """The revisions of this folder."""
    return ScriptDirectory(str(Path(__file__).parent))


def is_known(revision: str) -> bool:
    """Whether a revision is one of this fingru's."""
    return any(script.revision == revision for script in scripts().walk_revisions())


def upgrade(connection: Connection) -> None:
    """Bring a database to the latest revision, inside the transaction of a connection."""
    context = MigrationContext.configure(connection, opts={"version_table": schema.revision.name})
    directory = scripts()
    missing = directory.iterate_revisions("head", context.get_current_revision() or "base")
    with Operations.context(context):
        for revision in reversed(list(missing)):
            revision.module.upgrade()
            context.stamp(directory, revision.revision)
