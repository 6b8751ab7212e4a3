"""`import` and `export`: many referrals from a file, and all that the agency may read into one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Any, Final, get_args
from urllib.parse import urlencode

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from app.cli.common import faults_of, say
from app.cli.failures import Code, Failure
from app.cli.officer.refusals import Refused
from app.cli.officer.session import Session, officer_command
from app.cli.officer.words import read_moment
from app.client import ExchangeClient
from app.foundation.http import parse_json
from app.foundation.problems import MalformedBody
from schemas.exchange.bulk import MOST_LINES, ExportKind, ImportLine, LineOutcome

app = typer.Typer()
PANEL: Final = "Many at once"
BLOCK: Final = 65_536
LONGEST: Final = 1 << 20
TRIES: Final = 8
"""How often a connection may break without anything getting across in between."""
SHOWN: Final = 20
"""Faults of a file that are named one by one."""
NDJSON: Final = {"Content-Type": "application/x-ndjson"}
Document = dict[str, Any]
Headers = Mapping[str, str]


@officer_command(app, "import", panel=PANEL)
def import_file(
    session: Session,
    file: Annotated[
        Path, typer.Argument(help="One JSON document a line: a referral as the API takes it, with a key of its own.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Look at every line first, and send nothing if one is wrong.")
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option(help="Where to write what became of each line. Unset: beside the file.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Idempotency-Key of the import. Unset: made of the file's path, size and time, so that the same command goes on with it.",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it until it has ended.")] = True,
) -> None:
    """Send many referrals from a file, follow them, and write down what became of each. Repeated, it goes on where it was broken off."""
    lines = _lines_in(file)
    if check:
        _check(file)
    key = key or _key_of(file)
    with _progress(DownloadColumn()) as bar:
        found = session.run(lambda exchange, actor, headers: _upload(exchange, actor, headers, file, key, bar))
    if wait:
        with _progress(MofNCompleteColumn()) as bar:
            found = session.run(lambda exchange, actor, headers: _follow(exchange, actor, headers, found, lines, bar))
        where = results or file.with_name(f"{file.name}.results.ndjson")
        session.run(lambda exchange, actor, headers: _write_results(exchange, actor, headers, found["id"], where))
        session.show(found, lambda: _show(found, where))
        if found["state"] != "finished" or any(found["counts"][each] for each in ("refused", "parked", "cancelled")):
            raise typer.Exit(Code.failed)
    else:
        session.show(
            found, lambda: say(f"Import {found['id']} runs: {found['lines']} lines. The same command follows it.")
        )


def _lines_in(file: Path) -> int:
    try:
        with file.open("rb") as opened:
            lines, last = 0, b"\n"
            while block := opened.read(1 << 20):
                lines += block.count(b"\n")
                last = block[-1:]
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", "It should hold one JSON document a line.") from None
    lines += last != b"\n"
    if lines == 0:
        raise Failure(f"{file} is empty", "It should hold one JSON document a line.")
    if lines > MOST_LINES:
        raise Failure(
            f"{file} has {lines} lines; an import has at most {MOST_LINES}",
            f"Cut it: split -l {MOST_LINES} {file.name}",
        )
    return lines


def _key_of(file: Path) -> str:
    found = file.stat()
    told = f"{file.resolve()}|{found.st_size}|{found.st_mtime_ns}"
    return f"file-{hashlib.sha256(told.encode()).hexdigest()[:40]}"


def _check(file: Path) -> None:
    """Look at every line as the exchange will, as far as that is possible here. Raises what is wrong."""
    faults, keys = [], Counter[str]()
    with file.open("rb") as opened:
        for number, line in enumerate(opened, start=1):
            if fault := _fault_of(line, keys):
                faults.append(f"line {number}: {fault}")
    if faults:
        more = [f"… and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise Failure(
            f"{len(faults)} lines of {file} are wrong; nothing was sent",
            "\n  ".join([*faults[:SHOWN], *more]),
            code=Code.failed,
        )
    say(f"{sum(keys.values())} lines are right, as far as can be seen from here.", err=True)


def _fault_of(line: bytes, keys: Counter[str]) -> str | None:
    if len(line) > LONGEST:
        return "longer than 1 MiB"
    try:
        found = ImportLine.model_validate(parse_json(line))
    except MalformedBody as problem:
        return f"no strict JSON ({problem.members['reason']})"
    except ValidationError as error:
        return faults_of(error)
    keys[found.key] += 1
    return "/key: came before" if keys[found.key] > 1 else None


# uploading


async def _upload(
    exchange: ExchangeClient, actor: str, headers: Headers, file: Path, key: str, bar: Progress
) -> Document:
    """Bring the file across, going on after each break, and start the import; one that is there already is left as it is."""
    size = os.stat(file).st_size
    task = bar.add_task("Sending", total=size)
    held = broken = 0
    while True:
        try:
            known = await _import_of(exchange, actor, headers, key)
            if known is not None and known["state"] != "receiving":
                bar.update(task, completed=size)
                return known
            path, at = "/v1/imports", 0
            if known is not None:
                broken = 0 if known["lines"] > held else broken
                held, at = known["lines"], _place_after(file, known["lines"])
                path = f"/v1/imports/{known['id']}/lines?after={held}"
            reply = await exchange.post(
                path,
                content=lambda at=at: _blocks(file, at, bar, task),
                actor=actor,
                headers={**headers, **NDJSON},
                idempotency_key=key,
            )
            found = _answer(reply)
            if found["state"] != "receiving":
                return found
            return _answer(await exchange.post(f"/v1/imports/{found['id']}/start", actor=actor, headers=headers))
        except (httpx.TransportError, Refused) as error:
            if isinstance(error, Refused) and not _passes(error):
                raise
            broken += 1
            if broken >= TRIES:
                raise Failure(
                    f"the connection breaks again and again: {type(error).__name__}",
                    "Repeat the command: it goes on where it was broken off.",
                    code=Code.unreachable,
                ) from None
            await asyncio.sleep(min(0.2 * 2**broken, 20))


def _passes(refused: Refused) -> bool:
    """Whether it is worth looking again at what arrived: the token ended on the way, another upload was still ending, a restart."""
    return refused.status in (401, 429, 503) or refused.type in ("import-incomplete", "lines-elsewhere")


async def _import_of(exchange: ExchangeClient, actor: str, headers: Headers, key: str) -> Document | None:
    query = urlencode({"key": key, "limit": 200})
    page = _answer(await exchange.get(f"/v1/imports?{query}", actor=actor, headers=headers))
    mine = exchange.credentials.client_id
    return next((each for each in page["items"] if each["client"] == mine), None)


def _place_after(file: Path, lines: int) -> int:
    """Return where in the file so many lines end."""
    with file.open("rb") as opened:
        for _ in range(lines):
            opened.readline()
        return opened.tell()


async def _blocks(file: Path, at: int, bar: Progress, task: Any) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        opened.seek(at)
        while block := opened.read(BLOCK):
            yield block
            at += len(block)
            bar.update(task, completed=at)


# following


async def _follow(
    exchange: ExchangeClient, actor: str, headers: Headers, found: Document, lines: int, bar: Progress
) -> Document:
    task = bar.add_task("Handling", total=lines)
    pause, broken = 0.2, 0
    while True:
        bar.update(task, completed=found["lines"] - found["counts"]["waiting"], total=found["lines"])
        if found["state"] not in ("receiving", "running"):
            return found
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 3)
        try:
            found = _answer(await exchange.get(f"/v1/imports/{found['id']}", actor=actor, headers=headers))
            broken = 0
        except (httpx.TransportError, Refused) as error:
            broken += 1
            if broken >= TRIES or (isinstance(error, Refused) and error.status < 500):
                raise
            await asyncio.sleep(0.2 * 2**broken)


async def _write_results(exchange: ExchangeClient, actor: str, headers: Headers, import_id: str, where: Path) -> None:
    path: str | None = f"/v1/imports/{import_id}/results?limit=1000"
    with _private(where, "wb") as opened:
        while path is not None:
            page = _answer(await exchange.get(path, actor=actor, headers=headers))
            for each in page["items"]:
                opened.write(json.dumps(each, ensure_ascii=False).encode() + b"\n")
            path = page["next"]


def _show(found: Document, where: Path) -> None:
    counts = ", ".join(f"{found['counts'][each]} {each}" for each in get_args(LineOutcome) if found["counts"][each])
    speed = f", {found['lines_per_second']} a second" if found["lines_per_second"] else ""
    because = f" ({found['reason']})" if found["reason"] else ""
    say(
        f"Import {found['id']} is {found['state']}{because}: {found['lines']} lines{speed}: {counts or 'none handled'}."
    )
    say(f"What became of each is in {where}.")
    if found["counts"]["refused"]:
        say(
            "Mend the lines that were refused and send them again, with the same keys: what was sent is not sent twice."
        )
    if found["counts"]["parked"]:
        say("Tell the operators of the lines that were parked: it is a fault of the exchange.")


# exporting


@officer_command(app, "export", panel=PANEL)
def export_file(
    session: Session,
    out: Annotated[Path, typer.Option("--out", help="File to write; beside it FILE.part, until it is complete.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Only this kind ({', '.join(get_args(ExportKind))}); repeat it for several.", show_default=False
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(parser=read_moment, metavar="TIME", help="Only what changed since.", show_default=False),
    ] = None,
) -> None:
    """Write everything your agency may read to a file that only you can read. Repeated, it goes on where it was broken off."""
    if out.exists():
        raise Failure(f"{out} is there already", "Name another file.")
    query = {"kinds": kind or None, "since": since.isoformat() if since else None}
    part = out.with_name(f"{out.name}.part")
    with _progress(TextColumn("{task.completed} documents")) as bar:
        end = session.run(lambda exchange, actor, headers: _download(exchange, actor, headers, part, query, bar))
    part.rename(out)
    counts = ", ".join(f"{count} {name}" for name, count in end["counts"].items() if count)
    session.show({**end, "file": str(out)}, lambda: say(f"{out} is complete: {counts or 'nothing'}."))


async def _download(
    exchange: ExchangeClient, actor: str, headers: Headers, part: Path, query: Document, bar: Progress
) -> Document:
    """Take the export to its end, going on with a new token or a new connection where one ends."""
    task = bar.add_task("Taking", total=None)
    counts, after = _taken_before(part)
    broken = 0
    with _private(part, "ab") as opened:
        while True:
            before = sum(counts.values())
            given = {name: value for name, value in {**query, "after": after}.items() if value is not None}
            end: Document = {}
            try:
                path = f"/v1/exports?{urlencode(given, doseq=True)}"
                async with exchange.stream(path, actor=actor, headers=headers) as reply:
                    if reply.status_code != 200:
                        await reply.aread()
                        if reply.status_code in (409, 429, 503) and broken < TRIES:
                            broken += 1
                            await asyncio.sleep(min(float(reply.headers.get("Retry-After", 2)), 60))
                            continue
                        _answer(reply)
                    async for line in _lines_of(reply):
                        document = json.loads(line)
                        if document["kind"] == "end":
                            end = document
                            break
                        if document["kind"] == "export":
                            if not opened.tell():
                                opened.write(line)
                            continue
                        opened.write(line)
                        counts[document["kind"]] += 1
                        after = document["after"]
                        bar.update(task, completed=sum(counts.values()))
            except (httpx.TransportError, ValueError):  # a line that was cut off is no JSON
                end = {}
            if end.get("complete"):
                end["counts"] = {name: counts[name] for name in end["counts"]}
                opened.write(json.dumps(end).encode() + b"\n")
                return end
            broken = 0 if sum(counts.values()) > before else broken + 1
            if end.get("reason") in ("scope", "agency") or broken >= TRIES:
                why = end.get("reason", "the connection breaks again and again")
                raise Failure(
                    f"the export ended before it was complete: {why}",
                    f"{part} has what came. Repeat the command: it goes on from there.",
                    code=Code.refused if end else Code.unreachable,
                )
            exchange.forget_token()
            await asyncio.sleep(0.2 * 2**broken if broken else 0)


async def _lines_of(reply: httpx.Response) -> AsyncIterator[bytes]:
    """Yield whole lines with their ends. Only `\\n` ends one: to `aiter_lines` what a person wrote could."""
    held = b""
    async for block in reply.aiter_bytes():
        *whole, held = (held + block).split(b"\n")
        for line in whole:
            yield line + b"\n"


def _taken_before(part: Path) -> tuple[Counter[str], str | None]:
    """Return what an earlier try brought, and where to go on; cuts off a line that is not whole."""
    counts, after, whole = Counter[str](), None, 0
    if not part.exists():
        return counts, after
    with part.open("r+b") as opened:
        for document, size in _whole_lines(opened):
            if document["kind"] not in ("export", "end"):
                counts[document["kind"]] += 1
                after = document["after"]
            whole += size
        opened.truncate(whole if after is not None else 0)
    return counts, after


def _whole_lines(opened: IO[bytes]) -> Iterator[tuple[Document, int]]:
    for line in opened:
        if not line.endswith(b"\n"):
            return
        yield json.loads(line), len(line)


# both


def _private(path: Path, mode: str) -> IO[bytes]:
    """Open a file that only its owner can read."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if mode == "ab" else os.O_TRUNC)
    try:
        return os.fdopen(os.open(path, flags, 0o600), mode)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from None


def _answer(reply: httpx.Response) -> Document:
    try:
        found = reply.json()
    except ValueError:
        raise Failure(f"the exchange's answer cannot be read (HTTP {reply.status_code})", code=Code.broken) from None
    answer: Document = found if isinstance(found, dict) else {}
    if reply.status_code >= 400:
        raise Refused(reply.status_code, answer)
    return answer


def _progress(column: Any) -> Progress:
    """A progress bar where somebody looks on."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), column, TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
