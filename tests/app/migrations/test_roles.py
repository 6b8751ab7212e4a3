"""What each role that a process logs in as has: no more than stands in docs/database-roles.md, which is read when it changes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import asyncpg

from tests.makers.world import World

PAGE = Path(__file__).parents[3] / "docs" / "database-roles.md"
REWRITE = "REWRITE_ROLES=1 python -m pytest tests/app/migrations/test_roles.py"
ROLES: Final = {
    "rujukan_app": "The service. It sees the rows that row-level security shows to the agency its transaction acts for.",
    "rujukan_worker": "The worker. It moves events and watches deadlines; it has no way to consents, reasons, or content but what stays of a "
    "version it is erasing.",
    "rujukan_admin": "Administration. It keeps the directory and the clients, and sees no case.",
    "rujukan_auditor": "Auditors. They read the log, and nothing else.",
}
INTRODUCTION = f"""\
# What each role of the database may do

The processes log in as these four roles; none owns a table or passes a policy ([row-level security](architecture.md)). What is not listed is
refused by PostgreSQL. A privilege without columns is on the whole table.

This page is made from a migrated database, and a test fails where it is not what the database says: `{REWRITE}` writes it anew.
"""


async def tables_of(owner: asyncpg.Connection, role: str) -> list[tuple[str, str]]:
    """Each table with what the role may do to it: the privileges on all of it, then those on some columns."""
    whole = await owner.fetch(
        """SELECT relname AS name, array_agg(privilege_type ORDER BY privilege_type) AS may FROM pg_class, aclexplode(relacl) AS a
           WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S') AND a.grantee = $1::text::regrole
           GROUP BY relname""",
        role,
    )
    parts = await owner.fetch(
        """SELECT relname AS name, privilege_type AS may, array_agg(attname::text ORDER BY attname) AS columns
           FROM pg_attribute JOIN pg_class c ON c.oid = attrelid, aclexplode(attacl) AS a
           WHERE relnamespace = 'public'::regnamespace AND a.grantee = $1::text::regrole GROUP BY relname, privilege_type""",
        role,
    )
    found: dict[str, list[str]] = {}
    for row in whole:
        found.setdefault(row["name"], []).extend(row["may"])
    for row in sorted(parts, key=lambda row: (row["name"], row["may"])):
        found.setdefault(row["name"], []).append(f"{row['may']} of {', '.join(row['columns'])}")
    return [(name, "; ".join(found[name])) for name in sorted(found)]


async def functions_of(owner: asyncpg.Connection, role: str) -> list[str]:
    """Each function that the role may call; of those that do more than their caller, in whose name."""
    rows = await owner.fetch(
        """SELECT proname, CASE WHEN prosecdef THEN pg_get_userbyid(proowner) END AS owner FROM pg_proc
           WHERE pronamespace = 'public'::regnamespace AND has_function_privilege($1, oid, 'EXECUTE') ORDER BY proname""",
        role,
    )
    return [f"`{row['proname']}`" + (f" (as {row['owner']})" if row["owner"] else "") for row in rows]


async def page(owner: asyncpg.Connection) -> str:
    parts = [INTRODUCTION]
    for role, about in ROLES.items():
        rows = [f"| `{name}` | {may} |" for name, may in await tables_of(owner, role)]
        parts.append(f"\n## {role}\n\n{about}\n\n| table | may |\n|---|---|\n" + "\n".join(rows) + "\n")
        functions = await functions_of(owner, role)
        parts.append("\nFunctions: " + (",\n".join(functions) if functions else "none") + ".\n")
    return "".join(parts)


class TestEveryRole:
    async def test_has_exactly_what_the_page_says(self, world: World) -> None:
        found = await page(world.owner)
        if os.environ.get("REWRITE_ROLES"):
            PAGE.write_text(found)
        assert PAGE.read_text() == found, f"read what has changed, then write it anew: {REWRITE}"

    async def test_deletes_and_changes_nothing_that_is_evidence(self, world: World) -> None:
        """Said again without the page, which whoever rewrites it might not read."""
        kept = {
            "log_entry",
            "move",
            "record_version",
            "record_content",
            "consent",
            "consent_withdrawal",
            "correction",
            "case_lead",
        }
        for role in ROLES:
            for name, may in await tables_of(world.owner, role):
                if name in kept:
                    assert not re.search(r"\b(UPDATE|DELETE|TRUNCATE)\b", may), (role, name, may)
                assert "TRUNCATE" not in may, (role, name)

    async def test_of_the_auditor_reads_the_log_alone(self, world: World) -> None:
        """The entries, and all that proves them: their places and hashes, the signed checkpoints, the public halves of the log's keys."""
        public = "activated_at, created_at, id, name, public, retired_at, state"  # not private_sealed
        assert await tables_of(world.owner, "rujukan_auditor") == [
            ("log_checkpoint", "SELECT"),
            ("log_entry", "SELECT"),
            ("log_key", f"SELECT of {public}"),
            ("log_leaf", "SELECT"),
            ("log_subtree", "SELECT"),
            ("log_waiting", "SELECT"),
        ]
        assert await functions_of(world.owner, "rujukan_auditor") == []

    async def test_of_the_service_changes_no_party_and_no_basis(self, world: World) -> None:
        may = dict(await tables_of(world.owner, "rujukan_app"))
        for name in ("referral", "transfer", "disclosure", "case_file"):
            updates = next((each for each in may[name].split("; ") if each.startswith("UPDATE")), "")
            assert updates.startswith("UPDATE of "), name
            changed = set(updates.removeprefix("UPDATE of ").split(", "))
            settled = {
                "id",
                "case_id",
                "sender_id",
                "receiver_id",
                "purpose",
                "basis",
                "consent_id",
                "until_at",
                "lead_id",
                "sent_at",
            }
            assert not changed & settled, name
