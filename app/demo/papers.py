"""What can be taken away: a referral as a form to print, and in FHIR, as its receiver may read it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.demo.play import Player
from app.demo.systems import DemoError, System

_OF: Final = ("case-01-fisher-ambon", 6)
"""The centre that takes the fisher in."""
_WAYS: Final = (("/form?lang=id", "text/html", "html"), ("", "application/fhir+json", "fhir.json"))


async def papers(player: Player, systems: Mapping[str, System]) -> dict[str, bytes]:
    """Return both, by file name."""
    sample, act = _OF
    about = player.runs[sample][0].passed[act]
    receiver = systems[about.receiver]
    found = {}
    for way, media_type, ending in _WAYS:
        reply = await receiver.client.get(about.path + way, actor=receiver.actor, headers={"Accept": media_type})
        if reply.status_code != 200 or not reply.headers["content-type"].startswith(media_type):
            raise DemoError(f"{receiver.code}: {about.reference} as {media_type} was answered {reply.status_code}")
        found[f"{about.reference}.{ending}"] = reply.content
    return found


def keep(folder: Path, made: Mapping[str, bytes]) -> list[Path]:
    """Write papers into the folder, for its owner's eyes alone; those of an earlier run stay."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, content in made.items():
        with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    return [folder / name for name in made]
