"""The first schema: roles, directory and clients, cases, referrals, transfers, log, feed.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
OPEN = {
    "referral": ("sent", "received", "info_requested", "accepted", "in_progress", "on_hold", "cancel_requested"),
    "transfer": ("offered", "received", "info_requested", "accepted"),
}


def run(script: str) -> None:
    """Run a whole script on the migration's own connection (asyncpg's extended protocol takes one statement at a time)."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    await_only(driver.execute(script))


def upgrade() -> None:
    for name in ("roles", "auth", "log", "tables", "sealed", "functions"):
        run((SQL / f"{name}.sql").read_text())
    _, lists, rest = (SQL / "reads.sql").read_text().split("-- split: ")
    for table, states in OPEN.items():
        run(lists.removeprefix("lists\n").format(table=table, open=", ".join(f"'{state}'" for state in states)))
    run(rest.removeprefix("rest\n"))
    for name in ("policies", "cases", "links", "leads", "escalations", "requests", "consents", "breach", "inbox", "practice", "bases", "emergency", "data_requests", "restrictions", "retention",
                 "people", "approvals", "registration", "limits", "clients", "sealing", "access", "delivery", "webhooks", "reach", "sending", "attachments", "attachment_binding", "jobs", "bulk", "sealed_acts", "notes", "notices", "grants", "keys", "feed"):
        run((SQL / f"{name}.sql").read_text())
    run("SELECT ensure_partitions(now())")


def downgrade() -> None:
    run("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
    op.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY)")
    op.execute("INSERT INTO alembic_version VALUES ('0001')")
