"""`clients`: the systems that call the exchange, and their keys."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.administering import administer
from app.cli.approving import Waiting, show_waiting, waiting
from app.cli.common import Actor, Json, load_settings, read_json, show_json, show_table
from app.cli.failures import Code, Failure
from app.client import Credentials
from app.foundation.settings import Settings
from auth.admin import errors
from auth.admin.client_keys import certificate_jwk
from auth.admin.client_life import ask_for_key, give_emergency_key, register
from auth.admin.clients import ListedClient, list_clients
from auth.client_auth import mtls
from auth.scopes import AGENCY_SCOPES

app = typer.Typer(
    help="The systems that call the exchange, and their keys: let in, bounded, stopped.", no_args_is_help=True
)

ClientId = Annotated[str, typer.Argument(help="The client's id.")]
Generate = Annotated[
    bool, typer.Option("--generate", help="Make a key here; the private half goes to a file of its own.")
]
Jwks = Annotated[Path | None, typer.Option(help="File with the client's public JWK Set; - for standard input.")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Where --generate writes. Unset: clients/<client_id>.json in the data folder.", show_default=False
    ),
]
CertificateFile = Annotated[
    Path | None,
    typer.Option(help="File with its certificate in PEM, for self_signed_tls_client_auth.", show_default=False),
]


class Auth(StrEnum):
    """How a client authenticates."""

    private_key_jwt = "private_key_jwt"
    tls_client_auth = "tls_client_auth"
    self_signed_tls_client_auth = "self_signed_tls_client_auth"


class BoundTo(StrEnum):
    """What a client's tokens are bound to."""

    certificate = "certificate"
    dpop = "dpop"


_DURATION = re.compile(r"([0-9]{1,6})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Made:
    """What a client's system is configured with."""

    client_id: str
    agencies: tuple[str, ...]
    issuer: str
    token_endpoint: str
    auth_method: str
    name_in_certificate: str | None
    kids: tuple[str, ...]
    file: str | None
    status: str
    waits: str | None = None
    """The id of the approval it waits for."""
    jwks_uri: str | None = None

    def show(self, *, as_json: bool, headline: str) -> None:
        """Print it."""
        if as_json:
            show_json(asdict(self))
            return
        typer.echo(headline)
        typer.echo(f"  issuer          {self.issuer}")
        typer.echo(f"  token endpoint  {self.token_endpoint}")
        typer.echo(f"  client_id       {self.client_id}")
        if self.name_in_certificate is not None:
            typer.echo(f"  certificate     {self.name_in_certificate}, of an authority in RUJUKAN_TLS_CLIENT_CA")
        elif self.jwks_uri is not None:
            typer.echo(f"  jwks_uri        {self.jwks_uri} (its keys are fetched when it first asks for a token)")
        elif self.auth_method == mtls.SELF_SIGNED:
            typer.echo(f"  x5t#S256        {', '.join(self.kids)}")
        else:
            typer.echo(f"  kid             {', '.join(self.kids)}")
        if self.file is not None:
            typer.echo(f"  private key     {self.file} (readable by its owner alone)")
        if self.waits is not None or self.status != "active":
            return
        if self.file is not None:
            typer.echo(f"Try it: rujukan api GET /v1/me --as {self.client_id}")
        elif self.auth_method != "private_key_jwt":
            files = "--certificate FILE --certificate-key FILE"
            typer.echo(f"Try it: rujukan api GET /v1/me --as {self.client_id} {files}")


@app.command()
def add(
    client_id: ClientId,
    agency: Annotated[list[str], typer.Option(help="Code of an agency it acts for; repeat for more.")],
    name: Annotated[str | None, typer.Option(help="What it is. Unset: its id.", show_default=False)] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do; repeat for more. Unset: every scope.", show_default=False)
    ] = None,
    generate: Generate = False,
    jwks: Jwks = None,
    out: Out = None,
    jwks_uri: Annotated[
        str | None,
        typer.Option(help="Instead of --jwks: the https address at which it publishes its keys.", show_default=False),
    ] = None,
    auth: Annotated[
        Auth, typer.Option(help="How it authenticates: by its key, or by its TLS client certificate (RFC 8705).")
    ] = Auth.private_key_jwt,
    subject_dn: Annotated[
        str | None, typer.Option(help="tls_client_auth: the certificate's subject (RFC 4514).", show_default=False)
    ] = None,
    san_dns: Annotated[
        str | None, typer.Option(help="tls_client_auth: a DNS name in it instead.", show_default=False)
    ] = None,
    san_uri: Annotated[str | None, typer.Option(help="Or a URI.", show_default=False)] = None,
    san_ip: Annotated[str | None, typer.Option(help="Or an IP address.", show_default=False)] = None,
    san_email: Annotated[str | None, typer.Option(help="Or an e-mail address.", show_default=False)] = None,
    certificate: CertificateFile = None,
    bound_to: Annotated[
        BoundTo | None,
        typer.Option(
            help="What its tokens are bound to. Unset: its certificate if it authenticates by it.", show_default=False
        ),
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Only for practice: nobody need approve it. `request` asks later.")
    ] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Register a client for agencies, with exactly one of --generate, --jwks, --jwks-uri, --certificate and a name in a certificate.

    It works once people have approved it; where one is enough (development), at once.
    """
    settings = load_settings()
    names = {"subject_dn": subject_dn, "san_dns": san_dns, "san_uri": san_uri, "san_ip": san_ip, "san_email": san_email}
    named = [(kind, value) for kind, value in names.items() if value is not None]
    if jwks_uri is None:
        _fitting(auth, generate=generate, jwks=jwks, certificate=certificate, names=len(named))
    elif generate or jwks is not None or certificate is not None or named:
        raise Failure("--jwks-uri goes alone", "The client's keys are those it publishes there.")
    if out is not None and not generate:
        raise Failure("--out goes with --generate")
    values: dict[str, Any] = {
        "client_id": client_id,
        "name": name or client_id,
        "agencies": agency,
        "scopes": [part for each in scope for part in each.split()] if scope else sorted(AGENCY_SCOPES),
        "auth_method": auth.value,
        "certificate_bound": None if bound_to is None else bound_to is BoundTo.certificate,
    }
    whose = (actor, sandbox)
    if jwks_uri is not None:
        made, waits = asyncio.run(_add(settings, {**values, "jwks_uri": jwks_uri}, None, *whose))
    elif named:
        made, waits = asyncio.run(_add(settings, {**values, "tls_name": named[0]}, None, *whose))
    elif certificate is not None:
        made, waits = asyncio.run(_add(settings, {**values, "jwks": {"keys": [_jwk(certificate)]}}, None, *whose))
    elif jwks is not None:
        made, waits = asyncio.run(_add(settings, {**values, "jwks": _public(jwks)}, None, *whose))
    else:
        only = agency[0] if len(set(agency)) == 1 else None
        credentials = Credentials.generate(client_id, settings.public_url, agency=only)
        with _written(credentials, path := out or default_file(settings, client_id)):
            made, waits = asyncio.run(_add(settings, {**values, "jwks": credentials.public_jwks()}, path, *whose))
    agencies = ", ".join(made.agencies)
    headline = {
        "active": f"{client_id} may act for {agencies}. Its system needs:",
        "sandbox": f"{client_id} may practise for {agencies}, if that is a practice agency. Its system needs:",
    }.get(made.status, f"{client_id} is registered for {agencies}, and does not work yet. Its system needs:")
    made.show(as_json=as_json, headline=headline)
    if not as_json:
        if made.status == "sandbox":
            typer.echo(f"When it has practised enough: rujukan clients request {client_id}")
        show_waiting(waits, then=f"rujukan clients activate {client_id}")


async def _add(
    settings: Settings, values: dict[str, Any], path: Path | None, actor: str | None, sandbox: bool
) -> tuple[Made, Waiting | None]:
    async with administer(settings, actor, opens=not sandbox) as the:
        asked = await register(the.conn, **values, sandbox=sandbox, by=the.person, now=the.now, settings=settings)
        waits = waiting(asked, the.person)
        return await _made(settings, the.conn, values["client_id"], path, waits=waits), waits


async def _made(
    settings: Settings,
    conn: Any,
    client_id: str,
    path: Path | None,
    kid: str | None = None,
    *,
    waits: Waiting | None = None,
) -> Made:
    listed = await _find(conn, client_id)
    base = settings.mtls_url if listed.certificate_bound and settings.mtls_url else settings.public_url
    return Made(
        client_id=client_id,
        agencies=listed.agencies,
        issuer=settings.public_url,
        token_endpoint=f"{base}/oauth2/token",
        auth_method=listed.auth_method,
        name_in_certificate=name_of(listed),
        kids=(kid,) if kid else tuple(key.kid for key in listed.keys),
        file=None if path is None else str(path),
        status=listed.status,
        waits=None if waits is None else str(waits.approval.id),
        jwks_uri=listed.jwks_uri,
    )


async def _find(conn: Any, client_id: str) -> ListedClient:
    for client in await list_clients(conn):
        if client.client_id == client_id:
            return client
    raise errors.UnknownClientError(f"there is no client {client_id}")


def name_of(client: ListedClient) -> str | None:
    """Return the name its certificate is known by, in words."""
    if client.tls_name is None or client.tls_name_kind is None:
        return None
    return f"{client.tls_name_kind.replace('_', ' ')} {client.tls_name}"


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all clients with their agencies and keys."""
    found = asyncio.run(_list(load_settings()))
    if as_json:
        show_json([asdict(client) for client in found])
        return
    show_table(
        ("client", "agencies", "status", "scopes", "keys", "last used"),
        [
            (
                client.client_id,
                client.agencies,
                client.status,
                "all" if set(client.scopes) == AGENCY_SCOPES else client.scopes,
                name_of(client)
                or [
                    f"{key.kid[:12]}{f' until {key.ends_at:%Y-%m-%d %H:%M}Z' if key.ends_at else ''}"
                    for key in client.keys
                ],
                client.last_used_at,
            )
            for client in found
        ],
        empty="There is no client yet. Add one with `rujukan clients add`.",
    )


async def _list(settings: Settings) -> list[ListedClient]:
    async with administer(settings) as the:
        return await list_clients(the.conn)


@app.command()
def rotate(
    client_id: ClientId,
    overlap: Annotated[
        str, typer.Option(help="How long its present keys still count, such as 30m, 1h, 2d; 0 ends them now.")
    ] = "1h",
    generate: Generate = False,
    jwks: Jwks = None,
    certificate: CertificateFile = None,
    out: Out = None,
    lasts: Annotated[
        str | None,
        typer.Option(
            help="How long the new key lasts, such as 365d; its agency is reminded before. Unset: no end.",
            show_default=False,
        ),
    ] = None,
    emergency: Annotated[
        bool,
        typer.Option(
            "--emergency",
            help="End all its keys and let it in at once, by one operator: narrow scopes, for 24 hours, until another person agrees.",
        ),
    ] = False,
    called_back: Annotated[
        str | None,
        typer.Option(
            help="--emergency: role, or place in the list, of the registered duty contact you have called back.",
            show_default=False,
        ),
    ] = None,
    agency: Annotated[
        str | None,
        typer.Option(help="--emergency: code of that contact's agency, if there are several.", show_default=False),
    ] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Give a client another key and end its present ones after an overlap, with exactly one of --generate, --jwks and --certificate."""
    settings = load_settings()
    if certificate is None:
        _one_source(generate, jwks, out)
    elif generate or jwks is not None or out is not None:
        raise Failure("give exactly one of --generate, --jwks FILE and --certificate FILE")
    if emergency != (called_back is not None):
        raise Failure(
            "--emergency and --called-back go together",
            "Call the number in `rujukan agencies duty-contacts CODE`, and say whom you have called.",
        )
    if emergency and lasts is not None:
        raise Failure("--lasts does not go with --emergency", "Give it a key that lasts once this is over.")
    asked = _Rotation(
        client_id,
        parse_duration(overlap),
        None if lasts is None else parse_duration(lasts),
        called_back,
        agency,
        actor,
    )
    if certificate is not None:
        made, waits = asyncio.run(_rotate(settings, asked, _jwk(certificate), None))
    elif jwks is not None:
        keys = _public(jwks)["keys"]
        if len(keys) != 1:
            raise Failure("a rotation registers one key", f"{jwks} holds {len(keys)}.")
        made, waits = asyncio.run(_rotate(settings, asked, keys[0], None))
    else:
        path = out or default_file(settings, client_id)
        earlier = _earlier(path)
        credentials = Credentials.generate(client_id, settings.public_url, agency=earlier.agency if earlier else None)
        fresh = path.with_name(f"{path.name}.new")
        with _written(credentials, fresh):
            made, waits = asyncio.run(_rotate(settings, asked, credentials.public_jwks()["keys"][0], path))
        if waits is None or emergency:
            if earlier is not None:
                path.replace(path.with_name(f"{path.name}.old"))
            fresh.replace(path)
        else:
            made = replace(made, file=str(fresh))
    until = f"for another {overlap}" if parse_duration(overlap) else "no more"
    if emergency:
        headline = f"{client_id} works with a new key alone; all earlier ones have ended. Its system needs:"
    elif waits is not None:
        headline = f"{client_id} gets another key once it is approved; its present ones then count {until}. Its system will need:"
    else:
        headline = f"{client_id} has a new key; its earlier keys count {until}. Its system needs:"
    made.show(as_json=as_json, headline=headline)
    if not as_json:
        if emergency and waits is not None:
            typer.echo(
                "It may do what loses nobody, and no more; in 24 hours it is out again unless another person agrees."
            )
        show_waiting(waits)


@dataclass(frozen=True)
class _Rotation:
    """What was asked for."""

    client_id: str
    overlap: timedelta
    lasts: timedelta | None
    called_back: str | None
    agency: str | None
    actor: str | None


async def _rotate(
    settings: Settings, asked: _Rotation, jwk: dict[str, Any], path: Path | None
) -> tuple[Made, Waiting | None]:
    two_people = settings.needs_two_people
    async with administer(settings, asked.actor, opens=True) as the:
        if asked.called_back is not None:
            given = await give_emergency_key(
                the.conn,
                asked.client_id,
                jwk=jwk,
                called_back=asked.called_back,
                agency=asked.agency,
                by=the.person,
                now=the.now,
                two_people=two_people,
            )
            kid, approval = given.kid, given.approval
        else:
            kid, approval = await ask_for_key(
                the.conn,
                asked.client_id,
                jwk=jwk,
                overlap=asked.overlap,
                ends_at=None if asked.lasts is None else the.now + asked.lasts,
                by=the.person,
                now=the.now,
                two_people=two_people,
            )
        waits = waiting(approval, the.person)
        return await _made(settings, the.conn, asked.client_id, path, kid, waits=waits), waits


def parse_duration(text: str) -> timedelta:
    """Return what `90`, `30m`, `1h` or `2d` means."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise Failure("a duration is a number and s, m, h or d", "Such as 30m, 1h, 2d, or 0.")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def default_file(settings: Settings, client_id: str) -> Path:
    """Return where a client's key lies on a development machine."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{2,63}", client_id):
        raise errors.InvalidValueError(
            "a client_id is 3 to 64 of a-z, 0-9, dot, - and _, beginning with a letter or digit"
        )
    return settings.data_dir / "clients" / f"{client_id}.json"


def _one_source(generate: bool, jwks: Path | None, out: Path | None) -> None:
    if generate == (jwks is not None):
        raise Failure(
            "give exactly one of --generate and --jwks FILE",
            "--generate makes a key here, --jwks takes the client's own.",
        )
    if out is not None and not generate:
        raise Failure("--out goes with --generate")


def _fitting(auth: Auth, *, generate: bool, jwks: Path | None, certificate: Path | None, names: int) -> None:
    """Refuse what does not go with the way of authenticating."""
    given = names + generate + (jwks is not None) + (certificate is not None)
    if auth is Auth.private_key_jwt:
        if given != 1 or names or certificate is not None:
            raise Failure(
                "give exactly one of --generate and --jwks FILE",
                "--generate makes a key here, --jwks takes the client's own; a certificate goes with --auth.",
            )
    elif auth is Auth.tls_client_auth and (names != 1 or given != 1):
        raise Failure(
            "tls_client_auth knows the client by one name in its certificate",
            "Give one of --subject-dn, --san-dns, --san-uri, --san-ip, --san-email, and nothing else.",
        )
    elif auth is Auth.self_signed_tls_client_auth and (names or generate):
        raise Failure(
            "self_signed_tls_client_auth knows the client by its certificate",
            "Give --certificate FILE, or --jwks FILE with x5c in each key.",
        )
    if given != 1:
        raise Failure("give exactly one of --generate, --jwks FILE and --certificate FILE")


def _jwk(path: Path) -> dict[str, Any]:
    try:
        return certificate_jwk(path.read_bytes())
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}", "It should hold one certificate in PEM.") from None


def _public(path: Path) -> dict[str, Any]:
    found = read_json(path, "a public JWK Set")
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise Failure(f"{path} is no JWK Set", 'It should hold {"keys": [{"kty": …}]}.')
    return found


def _earlier(path: Path) -> Credentials | None:
    if not path.exists():
        return None
    try:
        return Credentials.load(path)
    except (OSError, ValueError):
        raise Failure(
            f"{path} is there and holds no client's credentials", "Move it away, or name another with --out."
        ) from None


@contextmanager
def _written(credentials: Credentials, path: Path) -> Iterator[None]:
    """Write the key before it is registered, so that no registered key is ever lost; take it away if it was not registered."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        credentials.save(path)
    except FileExistsError:
        raise Failure(f"there is a file {path} already", "Move it away, or name another with --out.") from None
    except OSError as error:
        raise Failure(
            f"{path} cannot be written: {error.strerror}", "Name another with --out.", code=Code.failed
        ) from None
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
