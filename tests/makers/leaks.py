"""Looks for what the sample people told, in whatever a machine has written down: names, numbers and words, in every way of writing them."""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from app.demo.samples import load_agencies, load_samples

_CODED = re.compile(r"[a-z0-9_.:-]*|[A-Z]{2,3}|\d\d(\.\d+)*|\d{4}(-\d\d){0,2}[?~%]?(T.*)?|[a-z]{2}(-[A-Z]{2})?")
"""Codes, regions, languages, dates: known without knowing the person."""
_BORN = re.compile(r"\d{4}-\d\d-\d\d")


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a document, with the name of the member it stands in."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, f"{at}/{name}")
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, at)
    elif isinstance(value, str):
        yield at, value


def told_in(document: Any) -> set[str]:
    """The names, numbers and free texts of five characters or more in a document, and its dates of birth."""
    found = set()
    for at, text in leaves(document):
        told = len(text) >= 5 and (not _CODED.fullmatch(text) or (text.isdigit() and len(text) > 7))
        born = "/birth" in at and _BORN.fullmatch(text) and text < "2015"  # a later one could be any date
        if told or born:
            found.add(text)
    return found


def told_of_the_samples() -> set[str]:
    """What the records of all sample people say, and what agencies say about them; not what the directory says of agencies."""
    public = json.dumps(load_agencies(), ensure_ascii=False)
    found = set()
    for sample in load_samples():
        for person in sample.people:
            found |= told_in(person.record)
        for act in sample.acts:
            said = leaves(act.get("bases", []))  # the article that is cited stands in the envelope
            found |= {text for at, text in said if at.endswith(("/reason", "/authority", "/number")) and len(text) > 5}
    return {text for text in found if text not in public}


def written(text: str, *, shortest: int) -> set[bytes]:
    """The ways a text may be written, without zero bytes. What is shorter than `shortest` bytes could stand anywhere by chance."""
    raw = text.encode()
    if len(raw) < shortest:
        return set()
    ways = {raw, text.encode("utf-16-le").replace(b"\0", b""), json.dumps(text)[1:-1].encode()}
    ways |= {quote(text).encode(), quote_plus(text).encode(), raw.replace(b'"', b'""'), raw.replace(b"\\", b"\\\\")}
    if len(raw) >= 7:
        ways |= {raw.hex().encode(), raw.hex().upper().encode()}
    if len(raw) >= 10:
        ways |= {text.upper().encode(), text.lower().encode()}
        for before in range(3):  # wherever in a longer text it stands
            whole = b64encode(b"\0" * before + raw).rstrip(b"=")
            ways.add(whole[(before * 8 + 5) // 6 : len(whole) - (len(whole) % 4 != 0)])
    return {line for way in ways for line in way.split(b"\n") if len(line) >= (shortest if line == way else 12)}


def looked_for(texts: Iterable[str], *, shortest: int = 5) -> set[bytes]:
    """Every way of writing every text."""
    return {way for text in texts for way in written(text, shortest=shortest)}


def found_in(files: Iterable[Path], ways: set[bytes], beside: Path) -> list[str]:
    """Which of the ways stand in the files, read as bytes, and again without the zero bytes between, as UTF-16 has them."""
    patterns = beside / "looked-for"
    patterns.write_bytes(b"\n".join(sorted(ways)))
    found: set[str] = set()
    for path in files:
        for clean in ("cat", r"tr -d '\000'"):
            seen = subprocess.run(
                [
                    "bash",
                    "-c",
                    f'{clean} < "$1" | LC_ALL=C grep -aohF -f "$2" | sort -u',
                    "-",
                    str(path),
                    str(patterns),
                ],
                capture_output=True,
                check=True,
            )
            found |= {f"{path.name}: {line}" for line in seen.stdout.decode(errors="replace").splitlines()}
    return sorted(found)
