"""`migrate`: the schema, and the passwords of the roles that processes log in as."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

import asyncpg
import typer

from app.cli import queries
from app.cli.administering import find_database
from app.cli.common import Json, load_settings, show_json
from app.cli.failures import Code, Failure
from app.foundation import migrate as migrations
from app.foundation.database import Addresses, Role, connection
from app.foundation.settings import Settings

app = typer.Typer()
LOGINS: Final[tuple[Role, ...]] = ("app", "worker", "admin", "auditor")
ITERATIONS: Final = 4096
"""As PostgreSQL's own `scram_iterations`."""


@app.command()
def migrate(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if a migration is missing.")] = False,
    as_json: Json = False,
) -> None:
    """Bring the database to the newest schema, as its owner, and set the login roles' passwords to those in the URLs."""
    settings = load_settings()
    before, after, roles = asyncio.run(_check(settings) if check else _migrate(settings))
    newest = migrations.newest()
    if as_json:
        show_json({"before": before, "now": after, "newest": newest, "passwords_set": roles})
    elif after == newest:
        typer.echo(f"The schema is at the newest migration, {newest}." if before == after else f"Migrated to {newest}.")
        for role in roles:
            typer.echo(f"The password of {role} is the one in its URL.")
    if after != newest:
        raise Failure(
            f"the schema is at {after or 'nothing'}, the newest migration is {newest}",
            "Run `rujukan migrate`.",
            code=Code.failed,
        )


async def _check(settings: Settings) -> tuple[str | None, str | None, list[str]]:
    found = find_database(settings)
    at = await migrations.current(found.owner or found.app)
    return at, at, []


async def _migrate(settings: Settings) -> tuple[str | None, str | None, list[str]]:
    found = find_database(settings)
    if found.owner is None:
        raise Failure("RUJUKAN_DATABASE_OWNER_URL is not set", "Only the database's owner can change its schema.")
    passwords = passwords_in(found)
    if settings.embedded:
        await migrations.ensure_database(found.owner)
    try:
        before = await migrations.current(found.owner)
    except asyncpg.InvalidCatalogNameError:
        raise Failure(
            "the server has no such database", "Make it as an administrator: CREATE DATABASE …", code=Code.failed
        ) from None
    if before != migrations.newest():
        await migrations.upgrade(found.owner)
    async with connection(found.owner) as conn:
        for role, password in passwords.items():
            await queries.set_password(conn, role, scram_verifier(password))
    return before, await migrations.current(found.owner), list(passwords)


def passwords_in(found: Addresses) -> dict[str, str]:
    """Return the password of each login role that has one in its URL. Roles of other names are the operator's own affair."""
    passwords: dict[str, str] = {}
    for role in LOGINS:
        parts = urlsplit(getattr(found, role) or "")
        if parts.password and unquote(parts.username or "") == f"rujukan_{role}":
            passwords[f"rujukan_{role}"] = unquote(parts.password)
    return passwords


def scram_verifier(password: str, *, salt: bytes | None = None) -> str:
    """Return what PostgreSQL stores for `password` (RFC 5803), so that the password itself is never sent or logged."""
    if not password.isascii() or not password.isprintable():
        raise Failure("a database password has visible ASCII characters only", "Generate one: `openssl rand -hex 32`.")
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored, server = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt_text}${stored}:{server}"
