"""`api`: one request to the exchange, with token and proof, as a client that is registered there."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer
from rich.console import Console
from rich.highlighter import JSONHighlighter

from app.cli.common import ACTOR, harmless, load_settings, read_json
from app.cli.failures import Code, Failure
from app.client import CertificateFiles, Credentials, ExchangeClient
from app.foundation.settings import Settings
from auth.jose import JoseRefusedError

app = typer.Typer()
_METHOD = re.compile(r"[A-Z]{3,10}")


@app.command()
def api(
    method: Annotated[str, typer.Argument(help="GET, POST, …")],
    path: Annotated[str, typer.Argument(help="Path and query, such as /v1/me.")],
    client: Annotated[
        str,
        typer.Option(
            "--as",
            envvar="RUJUKAN_CLIENT",
            show_envvar=True,
            help="Client id (its file is in the data folder), or a credentials file.",
        ),
    ],
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="JSON body; @FILE reads it from a file, @- from standard input.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="A file to send as it is, for POST /v1/attachments?section=….", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the answer's body to this file.", show_default=False)
    ] = None,
    agency: Annotated[
        str | None, typer.Option(help="Code of the agency to act for, if the client has several.")
    ] = None,
    actor: Annotated[
        str, typer.Option(help="Rujukan-Actor: your staff reference.", envvar="RUJUKAN_ACTOR", show_envvar=True)
    ] = "cli",
    if_match: Annotated[str | None, typer.Option(help="The version it was decided on, for moves.", metavar="N")] = None,
    key: Annotated[
        str | None, typer.Option(help="Idempotency-Key. Unset: a new one for each POST.", show_default=False)
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option(help="Media type to ask for, such as application/fhir+json.", metavar="TYPE", show_default=False),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            help="Client certificate in PEM, for a client that has one (with --certificate-key).", show_default=False
        ),
    ] = None,
    certificate_key: Annotated[Path | None, typer.Option(help="Its private key.", show_default=False)] = None,
    authority: Annotated[
        Path | None,
        typer.Option(
            help="Who vouches for the exchange's own certificate. Unset: those the system trusts.", show_default=False
        ),
    ] = None,
    include: Annotated[bool, typer.Option("--include", "-i", help="Show status and headers too.")] = False,
) -> None:
    """Send one request and print the answer. A POST without -d sends {}."""
    settings = load_settings()
    files = files_of(certificate, certificate_key, authority)
    credentials = find_credentials(settings, client) if files is None else with_certificate(settings, client, files)
    if agency is not None:
        credentials = dataclasses.replace(credentials, agency=agency)
    if not ACTOR.fullmatch(actor):
        raise Failure("an actor is 1 to 64 visible ASCII characters, without a space", "Give one with --actor.")
    method = method.upper()
    path = path.removeprefix(credentials.issuer)
    if not _METHOD.fullmatch(method) or not path.startswith("/"):
        raise Failure("a request is a method and a path", "Such as: rujukan api GET /v1/me --as iom-system")
    body = body_of(data)
    headers = {"Accept": accept} if accept is not None else {}
    content = None
    if file is not None:
        if body is not None:
            raise Failure("a request has one body", "Give --file or -d.")
        content = _content_of(file)
        headers |= _headers_of(file, content)
    elif body is None and method == "POST":
        body = {}
    reply = asyncio.run(_send(credentials, method, path, body, content, actor, _version(if_match), key, headers))
    if include:
        typer.echo(f"HTTP {reply.status_code} {reply.reason_phrase}")
        for name, value in reply.headers.items():
            typer.echo(f"{name}: {value}")
        typer.echo()
    if output is not None and reply.is_success:
        _write(output, reply.content)
    else:
        _show(reply)
    if reply.status_code >= 400:
        raise typer.Exit(Code.broken if reply.status_code >= 500 else Code.refused)


def _named(settings: Settings, client: str) -> Path:
    return settings.data_dir / "clients" / f"{client}.json"


def key_file(settings: Settings, client: str) -> Path:
    """Return the file of a client id in the data folder if there is one, else the file named."""
    named = _named(settings, client)
    return named if "/" not in client and named.exists() else Path(client)


def find_credentials(settings: Settings, client: str) -> Credentials:
    """Return the credentials of a client id with a file in the data folder, or those in the file named."""
    path = key_file(settings, client)
    try:
        credentials = Credentials.load(path)
        credentials.signing_key()
    except FileNotFoundError:
        raise Failure(
            f"there is no key file for {client}: neither {_named(settings, client)} nor {client} is there",
            "`rujukan clients add … --generate` makes one.",
        ) from None
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, JoseRefusedError):
        raise Failure(
            f"{path} does not hold a client's credentials", "`rujukan clients add … --generate` makes such a file."
        ) from None
    return credentials


def files_of(certificate: Path | None, key: Path | None, authority: Path | None) -> CertificateFiles | None:
    """Return the client certificate to present, if there is one; it is tried here, where it can be said what is wrong."""
    if certificate is None and key is None and authority is None:
        return None
    if certificate is None or key is None:
        raise Failure("a client certificate is two files", "Give --certificate FILE and --certificate-key FILE.")
    files = CertificateFiles(certificate, key, authority)
    try:
        files.context()
    except OSError as error:  # also for what is read but no certificate
        why = getattr(error, "reason", None) or error.strerror
        raise Failure(
            f"the client certificate cannot be used: {why}", "Do --certificate and --certificate-key belong together?"
        ) from None
    return files


def with_certificate(settings: Settings, client: str, files: CertificateFiles) -> Credentials:
    """Return the credentials of a client that has no key, or has one too, at the exchange of the settings."""
    known = key_file(settings, client).exists()
    credentials = find_credentials(settings, client) if known else Credentials(client, settings.public_url, None)
    return dataclasses.replace(credentials, certificate=files, address=settings.mtls_url)


def body_of(data: str | None) -> Any:
    """Return what -d says."""
    if data is None:
        return None
    if data.startswith("@"):
        return read_json(Path(data[1:]), "the body")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Failure("the body is not JSON", "-d '{\"a\": 1}', or -d @FILE to read one.") from None


def _content_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}") from None


def _headers_of(file: Path, content: bytes) -> dict[str, str]:
    """Return what is said of a file: its digest and its name; what it is, the exchange finds by itself."""
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return {
        "Content-Type": "application/octet-stream",
        "Content-Digest": f"sha-256=:{digest}:",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
    }


def _write(output: Path, content: bytes) -> None:
    try:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise Failure(
            f"{output} cannot be written: {error.strerror}", "It is never put in the place of another file."
        ) from None


def _version(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text


async def _send(
    credentials: Credentials,
    method: str,
    path: str,
    body: Any,
    content: bytes | None,
    actor: str,
    if_match: int | str | None,
    key: str | None,
    headers: dict[str, str],
) -> httpx.Response:
    async with ExchangeClient(credentials) as exchange:
        try:
            return await exchange.request(
                method,
                path,
                json=body,
                content=content,
                actor=actor,
                if_match=if_match,
                idempotency_key=key,
                headers=headers,
            )
        except (httpx.InvalidURL, UnicodeError):
            raise Failure("the path or a header cannot be sent as it is written") from None


def _show(reply: httpx.Response) -> None:
    if not reply.content:
        return
    try:
        text = json.dumps(reply.json(), indent=2, ensure_ascii=False)
    except ValueError:
        typer.echo(harmless(reply.text))
        return
    if sys.stdout.isatty():
        Console().print(JSONHighlighter()(harmless(text)), soft_wrap=True)
    else:
        typer.echo(text)
