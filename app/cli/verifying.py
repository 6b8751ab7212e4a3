"""`verify`: check a receipt, a checkpoint or the whole log with the log's public key alone. No database, no network."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli.common import Json, harmless, read_json, read_object, say, show_json
from app.cli.failures import Code, Failure
from app.exchange.receipts.signing import ReceiptRefused, b64url, unb64url
from app.exchange.receipts.signing import verify as verify_receipt
from app.exchange.records.sealing import commitment_to
from app.log import notes, tree
from app.log.auditing import Audit, Finding
from app.log.leaf import leaf_of
from app.log.notes import Checkpoint, NoteRefused, Verifier
from app.log.tree import ProofRefused

app = typer.Typer(
    help="Check receipts, checkpoints and the whole log: offline, with the log's public key alone.",
    no_args_is_help=True,
)
SHOWN: Final = 50
"""Findings that are printed; the rest is counted."""
Keys = Annotated[
    list[str],
    typer.Option(
        "--key",
        metavar="KEY",
        help="A public key of the log that you trust: a verifier key (name+id+key), or a file that holds some"
        " (as `/v1/log/keys` gave them when you first kept them). Repeat it for several.",
    ),
]


@app.command()
def receipt(
    file: Annotated[
        Path, typer.Argument(help="The receipt, as `/v1/receipts/…` gave it; or its JWS alone. `-`: standard input.")
    ],
    key: Keys,
    document: Annotated[
        Path | None,
        typer.Option(
            help="The record that it commits to, or the answer that holds it as `record`.", show_default=False
        ),
    ] = None,
    salt: Annotated[
        str | None, typer.Option(help="The salt, if the file does not hold it.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that the exchange signed this receipt, that it stands in the log, and that it is for this document."""
    trusted = trusted_keys(key)
    given = _receipt_file(file)
    try:
        said = verify_receipt(str(given.get("receipt", "")), [each.jwk for each in trusted])
    except ReceiptRefused as refused:
        raise Failure(f"the receipt does not hold: {refused}", code=Code.failed) from None
    done = ["signed by the log's key"]
    leaf_hash = unb64url(said["leaf_hash"])
    if given.get("entry") is not None:
        try:
            fits = tree.hash_leaf(leaf_of(given["entry"])) == leaf_hash
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise Failure("the receipt does not hold: it is for another entry than the one beside it", code=Code.failed)
        done.append("it is for the entry beside it")
    sealed = given.get("sealed")
    if sealed is not None:
        done.append(_check_sealed(sealed, leaf_hash, said, trusted))
    if document is not None:
        _check_document(said, read_object(document, "a record"), salt or given.get("salt"))
        done.append("it is for this document")
    if as_json:
        show_json({"holds": True, "says": said, "checked": done})
        return
    say("\n".join(f"ok  {each}" for each in done))
    say(f"{said.get('agency') or 'the exchange'}: {said['action']} {said.get('subject_id', '')} at {said['time']}")
    if sealed is None:
        say("It was not sealed yet when it was fetched: fetch it again for its place in the log.")


def _receipt_file(path: Path) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except (OSError, UnicodeError):
        raise Failure(f"{path} cannot be read") from None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {"receipt": text.strip()}
    if not isinstance(found, dict):
        raise Failure(f"{path} does not hold a receipt")
    return found


def _check_sealed(sealed: Any, leaf_hash: bytes, said: Mapping[str, Any], trusted: list[Verifier]) -> str:
    try:
        checkpoint, _ = notes.verify(sealed["checkpoint"], trusted)
        if checkpoint.origin != said.get("log"):
            raise ProofRefused("the checkpoint is of another log")
        tree.check_inclusion(
            leaf_hash,
            sealed["position"],
            checkpoint.size,
            [notes.read_hash(each) for each in sealed["proof"]],
            checkpoint.root,
        )
    except (NoteRefused, ProofRefused) as refused:
        raise Failure(f"the proof does not hold: {refused}", code=Code.failed) from None
    except (KeyError, TypeError, AttributeError):
        raise Failure("the proof cannot be read", code=Code.failed) from None
    return f"it stands at position {sealed['position']} of the log of {checkpoint.size} entries"


def _check_document(said: Mapping[str, Any], document: dict[str, Any], salt: Any) -> None:
    if "commitment" not in said:
        raise Failure("the receipt commits to no document", code=Code.failed)
    if not isinstance(salt, str):
        raise Failure(
            "the salt is needed to compare a document",
            "Who may read the whole document gets it with the receipt. Once a part of it was erased there is none any more.",
        )
    record = document["record"] if isinstance(document.get("record"), dict) else document
    try:
        same = commitment_to(record, unb64url(salt)) == said["commitment"]
    except ValueError:
        raise Failure("the salt or the document cannot be read", code=Code.failed) from None
    if not same:
        raise Failure("the receipt is not for this document, or not with this salt", code=Code.failed)


@app.command()
def checkpoint(
    file: Annotated[Path, typer.Argument(help="A checkpoint, as `/v1/log/checkpoint` gave it. `-`: standard input.")],
    key: Keys,
    earlier: Annotated[Path | None, typer.Option(help="A checkpoint that you kept before.", show_default=False)] = None,
    proof: Annotated[
        Path | None,
        typer.Option(
            help="The proof that the log of the earlier one is its beginning: `/v1/log/proof/consistency`.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that a checkpoint was signed by the log, and that the log only grew since an earlier one."""
    trusted = trusted_keys(key)
    now = read_checkpoint(file, trusted)
    before = read_checkpoint(earlier, trusted) if earlier is not None else None
    if before is not None:
        steps = read_object(proof, "a consistency proof").get("proof") if proof is not None else []
        if proof is None and before.size != now.size:
            raise Failure(
                "the proof between the two sizes is needed",
                f"GET /v1/log/proof/consistency?from={before.size}&to={now.size}, and give it with --proof.",
            )
        try:
            if not isinstance(steps, list):
                raise ProofRefused("it cannot be read")
            tree.check_consistency(
                before.size, now.size, [notes.read_hash(each) for each in steps], before.root, now.root
            )
        except (ProofRefused, NoteRefused) as refused:
            raise Failure(
                f"the log does not go on from the earlier checkpoint: {refused}",
                "Keep both checkpoints: together they prove that the log was rewritten.",
                code=Code.failed,
            ) from None
    if as_json:
        show_json({"holds": True, "origin": now.origin, "size": now.size, "root": b64url(now.root)})
        return
    say(f"ok  signed by the log {now.origin}: {now.size} entries")
    if before is not None:
        say(f"ok  the log of {before.size} entries is its beginning: nothing was altered or removed")


@app.command()
def log(
    file: Annotated[Path, typer.Argument(help="The log, as `rujukan log export` wrote it. `-`: standard input.")],
    key: Keys,
    kept: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint",
            help="A checkpoint that was kept elsewhere. Repeat it for several: what was cut off at the end, or written anew, is found by them only.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the whole log: that nothing was changed, removed, put in or moved, and where if something was."""
    trusted = trusted_keys(key)
    roots = {found.size: found.root for found in (read_checkpoint(each, trusted) for each in kept or ())}
    audit = Audit(trusted, roots)
    found: list[Finding] = []
    count = 0
    for finding in _findings(file, audit):
        count += 1
        if count <= SHOWN:
            found.append(finding)
    if as_json:
        show_json(
            {
                "holds": not count,
                "entries": audit.entries,
                "sealed": audit.sealed,
                "checkpoints": audit.checkpoints,
                "waiting": audit.waiting,
                "findings": [asdict(each) for each in found],
                "more": count - len(found),
            }
        )
    else:
        for each in found:
            say(f"{_where(each)}: {each.says} ({each.what})")
        if count > len(found):
            say(f"and {count - len(found)} more")
    if count:
        first = min((each.position for each in found if each.position is not None), default=None)
        where = f"; first at position {first}" if first is not None else ""
        raise Failure(f"the log does not hold{where}", code=Code.failed)
    if not as_json:
        say(
            f"ok  {audit.entries} entries, sealed by {audit.checkpoints} checkpoints up to {audit.sealed};"
            f" {audit.waiting} wait for theirs"
        )


def _findings(path: Path, audit: Audit) -> Iterator[Finding]:
    try:
        with nullcontext(sys.stdin) if str(path) == "-" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    document = json.loads(line)
                except (ValueError, RecursionError):
                    document = None
                if not isinstance(document, dict):
                    raise Failure(f"{path} is no export of a log (line {number})")
                yield from audit.feed(document)
    except (OSError, UnicodeError):
        raise Failure(f"{path} cannot be read") from None
    yield from audit.finish()


def _where(finding: Finding) -> str:
    if finding.position is None:
        return "without a position"
    if finding.until in (None, finding.position):
        return f"position {finding.position}"
    return f"positions {finding.position} to {finding.until}"


def trusted_keys(given: list[str]) -> list[Verifier]:
    """Return the keys that were named, each as a line or by a file."""
    found: list[Verifier] = []
    for each in given:
        try:
            if Path(each).exists():
                text = Path(each).read_text("utf-8")
                found += (
                    notes.keys_in(read_json(Path(each), "the log's keys"))
                    if text.lstrip().startswith("{")
                    else [notes.read_vkey(line) for line in text.splitlines() if line.strip()]
                )
            else:
                found.append(notes.read_vkey(each))
        except NoteRefused as refused:
            raise Failure(
                f"{harmless(each[:80])}: {refused}", "Give a verifier key, or a file that holds some."
            ) from None
        except (OSError, UnicodeError):
            raise Failure(
                f"{harmless(each[:80])} cannot be read", "Give a verifier key, or a file that holds some."
            ) from None
    if not found:
        raise Failure("no key of the log was given", "Keep `/v1/log/keys` once, and name the file with --key.")
    return found


def read_checkpoint(path: Path, trusted: list[Verifier]) -> Checkpoint:
    """Return what a file's checkpoint says, if a trusted key has signed it."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
        return notes.verify(text, trusted)[0]
    except NoteRefused as refused:
        raise Failure(f"{path}: {refused}", code=Code.failed) from None
    except (OSError, UnicodeError):
        raise Failure(f"{path} cannot be read") from None
