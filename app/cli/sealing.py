"""`seal` and `open`: sections that only the receiving agency can read. Done here, at the agency; the exchange never sees a private key."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from app.cli.api import find_credentials
from app.cli.common import acting, clock_of, load_settings, read_object, say, show_json
from app.cli.failures import Code, Failure
from app.cli.officer.session import Session
from app.cli.officer.words import language_of_the_terminal
from app.sealing import CannotOpenError, open_section, public_part, seal_section
from schemas.checks.warnings_of import warnings_of
from schemas.codes.answers import Answer
from schemas.codes.disclosure import Section
from schemas.record.preview import preview_of
from schemas.record.record import SECTION_MODELS, Record
from schemas.record.sealed import NEVER_SEALED, PREVIEW_PARTS

app = typer.Typer()
PANEL: Final = "Sealed sections"
Document = dict[str, Any]


@app.command("seal", rich_help_panel=PANEL)
def seal(
    file: Annotated[Path, typer.Argument(help="JSON: a record, or a request that has one; - for standard input.")],
    section: Annotated[list[Section], typer.Option(help="Seal this section; repeat it for several.")],
    to: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="The receiving agency: its keys are fetched from the directory."),
    ] = None,
    keys: Annotated[Path | None, typer.Option(help="Or its keys, a JWK Set in a file.", show_default=False)] = None,
    own_key: Annotated[
        Path | None,
        typer.Option(help="Seal to this key of your own too, so that you can read it again.", show_default=False),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option("--as", envvar="RUJUKAN_CLIENT", show_envvar=True, help="Client id, or a credentials file."),
    ] = None,
) -> None:
    """Seal sections of a record to an agency's keys, and print it with them sealed.

    What the preview says of them is added as `sealed_preview`: the receiver decides by that, and the exchange sees it.
    """
    given = read_object(file, "a record")
    record = given["record"] if isinstance(given.get("record"), dict) else given
    names = list(dict.fromkeys(str(each) for each in section))
    if never := NEVER_SEALED & set(names):
        raise Failure(f"{' and '.join(sorted(never))} cannot be sealed", "Whoever is asked decides by them.")
    if absent := [name for name in names if record.get(name) is None]:
        raise Failure(f"the record has no section {absent[0]}")
    read = _as_record(record)
    recipients = _keys_in(read_object(keys, "a JWK Set")) if keys is not None else _fetched(to, client)
    if own_key is not None:
        recipients.append(public_part(read_object(own_key, "a JWK")))
    sealed = {**(record.get("sealed") or {})}
    for name in names:
        sealed[name] = seal_section(name, record[name], recipients)
    made = {name: value for name, value in record.items() if name not in names}
    made["sealed"] = sealed
    if preview := {**(record.get("sealed_preview") or {}), **_preview(read, names)}:
        made["sealed_preview"] = preview
    for name in names:
        say(f"{name}: sealed to {', '.join(key['kid'] for key in recipients)}", err=True)
    show_json({**given, "record": made} if record is not given else made)


@app.command("open", rich_help_panel=PANEL)
def open_(
    file: Annotated[Path, typer.Argument(help="JSON: an answer with a record, or a record; - for standard input.")],
    key: Annotated[list[Path], typer.Option(help="Your private key, a JWK in a file; repeat it for several.")],
) -> None:
    """Open the sealed sections of a record, check them as the exchange checks open ones, and print the record with them."""
    given = read_object(file, "a record")
    record: Document = dict(given["record"]) if isinstance(given.get("record"), dict) else dict(given)
    record.pop("sealed_preview", None)
    private = [read_object(each, "a JWK") for each in key]
    found = record.pop("sealed", None)
    if not isinstance(found, dict) or not found:
        raise Failure("nothing in it is sealed")
    sealed = dict(found)
    faults = 0
    for name in list(sealed):
        try:
            opened = _opened(name, sealed[name], private)
            SECTION_MODELS[name].model_validate(opened)
        except CannotOpenError as error:
            say(str(error), err=True)
            faults += 1
            continue
        except ValidationError as error:
            for fault in error.errors(include_input=False, include_url=False):
                say(f"{name}: /{'/'.join(map(str, fault['loc']))} {fault['type']}: not as the schema says", err=True)
            faults += 1
        record[name] = opened
        del sealed[name]
    for warning in [] if faults else warnings_of(_as_record(record), on=datetime.now(UTC).date()):
        say(f"{warning.pointer}: {warning.code}", err=True)
    show_json({**record, **({"sealed": sealed} if sealed else {})})
    if faults:
        raise typer.Exit(Code.failed)


def _opened(name: str, sealed: Document, private: list[Document]) -> Document:
    for place, each in enumerate(private):
        try:
            return open_section(name, sealed, each)
        except CannotOpenError:
            if place == len(private) - 1:
                raise
    raise AssertionError("there is at least one key")


def _as_record(record: Document) -> Record:
    try:
        return Record.model_validate({"schema_version": "1.0", **record})
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise Failure(
            f"the record is not as the schema says: /{'/'.join(map(str, fault['loc']))} {fault['type']}",
            "See docs/schema.",
        ) from None


def _preview(record: Record, names: list[str]) -> Document:
    """Return what the preview says of these sections, as it would be drawn from them open."""
    drawn: Document = preview_of(record, on=datetime.now(UTC).date()).model_dump(mode="json")
    guardian = record.family.guardian if record.family else None
    drawn |= drawn["care_tonight"] or {}
    drawn["guardian_suspected"] = (guardian.suspected if guardian else None) or Answer.UNKNOWN.value
    return {part: drawn.get(part) for name in names for part in PREVIEW_PARTS.get(name, ())}


def _keys_in(jwks: Document) -> list[Document]:
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, dict) and "kid" in key for key in keys) or not keys:
        raise Failure("there is no key in it", "It is what GET /v1/agencies/{code}/encryption-keys answers.")
    return [public_part(key) for key in keys]


def _fetched(to: str | None, client: str | None) -> list[Document]:
    if to is None or client is None:
        raise Failure("whose keys? Give --to CODE and --as CLIENT, or --keys FILE")
    settings = load_settings()
    with Session(
        find_credentials(settings, client),
        actor=acting(None),
        acts_for=None,
        lang=language_of_the_terminal(),
        as_json=True,
        clock=clock_of(settings),
    ) as session:
        found = session.get(f"/v1/agencies/{to}/encryption-keys")
    if not found["keys"]:
        raise Failure(f"{to} has published no key that counts now", "Ask it to: rujukan keys new-encryption.")
    return _keys_in(json.loads(json.dumps(found)))
