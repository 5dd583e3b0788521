"""Returns of trials, symbols of prices, and triggers against INSERT OR REPLACE."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from fingru.store.schema import append_only_triggers

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Add what databases of some earlier fingru lack; each step does nothing where it is there."""
    dialect = op.get_bind().dialect.name
    present = sa.inspect(op.get_bind()).get_table_names()
    guarded = [("trials", "id"), ("promotions", "id")] if dialect == "sqlite" else []
    if "trial_returns" not in present:
        op.create_table(
            "trial_returns",
            sa.Column("trial_id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("first", sa.String(40), nullable=False),
            sa.Column("last", sa.String(40), nullable=False),
            sa.Column("bars_per_year", sa.Float, nullable=False),
            sa.Column("bars", sa.LargeBinary, nullable=False),
            sa.Column("net_returns", sa.LargeBinary, nullable=False),
        )
        guarded.append(("trial_returns", "trial_id"))
    if "data_assets" not in present:
        op.create_table(
            "data_assets",
            sa.Column("data_sha256", sa.String(64), primary_key=True),
            sa.Column("assets", sa.JSON, nullable=False),
        )
        guarded.append(("data_assets", "data_sha256"))
    for table, key in guarded:
        for statement in append_only_triggers(table, key, dialect):
            op.execute(statement)
