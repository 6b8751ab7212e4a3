"""`notes`: a conversation at the keyboard, as far as it is open; and who is told by mail, by an operator at the same machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.cli.officer.conftest import Office
from tests.makers.mail import MailServer, free_port, mail_server


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailServer]:
    """A mail server in a thread of its own, since commands run in this one."""
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    running: list[MailServer] = []

    async def run() -> None:
        async with mail_server(tmp_path) as server:
            running.append(server)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    ready.wait(10)
    yield running[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def test_are_asked_answered_and_marked_as_read(office: Office) -> None:
    passed = office.in_progress(sender="iom")
    assert "Nobody has written a note." in office.done("shelter", "notes", passed.reference).out
    office.done("shelter", "note", passed.reference, "--kind", "question", "--text", "Which ship?")
    waiting = office.done("iom", "inbox", "--kind", "read_notes").out
    assert passed.reference in waiting
    shown = office.done("iom", "notes", passed.reference)
    assert "1. question" in shown.out
    (asked,) = office.done("iom", "notes", passed.reference, "--json").json["items"]
    assert f"note --in-reply-to {asked['id']}" in shown.out.replace("\n", " ")
    assert "1 unread." in shown.out
    office.done(
        "iom", "note", passed.reference, "--text", "The Mina.", "--section", "needs", "--in-reply-to", asked["id"]
    )
    office.done("iom", "notes", passed.reference, "--mark")
    assert "All read." in office.done("iom", "notes", passed.reference).out
    shown = office.done("shelter", "notes", passed.reference).out
    assert "2. answer" in shown
    assert "not answered yet" not in shown
    assert "read by the other side" in shown
    assert office.run("stranger", "notes", passed.id).code != 0


def test_agencies_are_told_by_mail_where_an_operator_says(office: Office, mail: MailServer) -> None:
    run = office.machine.run
    set_up = {
        "RUJUKAN_NOTICE_FROM": "rujukan@example.go.id",
        "RUJUKAN_SMTP_HOST": "localhost",
        "RUJUKAN_SMTP_TLS": "none",
    }
    port = {"RUJUKAN_SMTP_PORT": str(mail.port)}
    assert "has no notice address" in run("notices", "test", "rptc", **set_up, **port).err
    for email in ("x", "A <a@b.id>"):
        assert run("notices", "set", "rptc", "--email", email).code != 0
    assert run("notices", "set", "rptc", "--email", "piket@rptc.example.org").code == 0
    assert "no mail server is set" in run("notices", "test", "rptc").err
    assert "has taken it" in run("notices", "test", "rptc", **set_up, **port).out
    assert [(mail["To"], mail["Subject"]) for mail in mail.taken] == [("piket@rptc.example.org", "Rujukan: uji coba")]
    failed = run("notices", "test", "rptc", **set_up, RUJUKAN_SMTP_PORT=str(free_port()))
    assert (failed.code != 0, "Nothing answers" in failed.err) == (True, True)
    (row,) = run("notices", "list", "--json").json
    assert (row["code"], row["email"], row["language"], row["parked"]) == ("rptc", "piket@rptc.example.org", "id", 0)
    assert run("notices", "mails", "--json").json == []
    assert run("notices", "mails", "--state", "lost").code != 0
    assert run("notices", "retry", "00000000-0000-0000-0000-000000000007").code != 0
    assert run("notices", "remove", "rptc").code == 0
    assert run("notices", "list", "--json").json == []
