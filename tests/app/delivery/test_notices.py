"""Notices: an agency without a system learns by one mail that something waits, and by it nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from app.delivery.notices import addresses, jobs, queries, sending
from app.delivery.notices.jobs import WAITED_FOR
from app.delivery.notices.letter import MOST_LISTED, Line, compose
from app.delivery.notices.sending import FAULTS, Outcome, next_try
from app.foundation import metrics
from app.foundation.ids import uuid7
from app.foundation.settings import Settings
from app.worker import Worker
from auth.admin.errors import InvalidValueError, UnknownAgencyError
from schemas.exchange.event import EVENT_TYPES
from tests.makers import records
from tests.makers.mail import MailServer, free_port, mail_server
from tests.makers.world import World

FROM, TO = "rujukan@example.go.id", "piket@shelter.example.org"
MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def settings_for(exchange: Any, server: MailServer, **more: Any) -> Settings:
    given = {
        "notices": "on", "notice_from": FROM, "smtp_host": "localhost", "smtp_port": server.port, "smtp_tls": "none", "smtp_ca": server.ca_file,
        "notice_contact": "Meja rujukan, 1500-771",
    }  # fmt: skip
    found: Settings = exchange.settings.model_copy(update={**given, **more})
    return found


class Notices:
    """Who is told, and a worker that tells them."""

    def __init__(self, world: World, admin: asyncpg.Connection, server: MailServer) -> None:
        self.world, self.admin, self.server = world, admin, server
        self.settings = settings_for(world.exchange, server)
        self.pool = world.exchange.worker._pool
        assert self.pool is not None

    @property
    def now(self) -> datetime:
        return self.world.exchange.clock.now()

    async def tell(self, code: str = "shelter", email: str = TO, language: Any = "id") -> None:
        await addresses.set_address(self.admin, code, email=email, language=language, now=self.now, actor="op")

    async def work(self, *, settings: Settings | None = None) -> list[str]:
        """Do what the worker would by now; the subjects of the mails that came of it."""
        before = len(self.server.taken)
        await self.world.exchange.settle()
        async with self.pool.acquire() as conn:
            while await jobs.gather(conn, self.settings, self.now) >= jobs.AGENCIES:
                pass
        while await jobs.send_due(self.pool, settings or self.settings, self.now) >= jobs.AT_ONCE:
            pass
        return [each["Subject"] for each in self.server.taken[before:]]

    async def mails(self, **only: str) -> list[tuple[str, str | None, int | None, int]]:
        found = await queries.mails(self.admin, state=only.get("state"), code=only.get("code"), before=None, limit=200)
        return [(each["state"], each["fault"], each["status"], each["attempts"]) for each in found]

    async def reference(self, passed: Any) -> str:
        return str((await self.world.row(passed))["reference"])


@pytest.fixture
async def notices(world: World, tmp_path: Path) -> AsyncIterator[Notices]:
    admin = await asyncpg.connect(world.exchange.addresses.admin)
    async with mail_server(tmp_path) as server:
        yield Notices(world, admin, server)
    await admin.close()


class TestANotice:
    async def test_names_the_reference_and_whom_to_call_and_nothing_else(self, notices: Notices) -> None:
        await notices.tell()
        sent = await notices.world.send(receiver="shelter", record=records.full_record(), purpose="social_rehabilitation",
                                        bases=[records.legal_basis(*records.FULL_SECTIONS)])  # fmt: skip
        reference = await notices.reference(sent)
        assert await notices.work() == [f"Rujukan: Rujukan {reference} menunggu instansi Anda"]
        (mail,) = notices.server.taken
        assert notices.server.envelopes == [(FROM, [TO], False)]
        assert (mail["From"], mail["To"], mail["Auto-Submitted"]) == (FROM, TO, "auto-generated")
        assert re.fullmatch(r"<notice\.[0-9a-f-]{36}@example\.go\.id>", mail["Message-ID"])
        assert mail["Date"].datetime.tzinfo is not None
        assert (mail.get_content_type(), mail["Content-Language"]) == ("text/plain", "id")
        body = mail.get_content()
        assert f"rujukan {reference}" in body
        assert "1500-771" in body
        whole = mail.as_string().lower()
        for word in ("police", "polda", "iom", "http", "token", "shelter_men", "urgent", "standard", sent.id, sent.case_id,
                     records.NAME.lower(), "harbour", "rifampicin"):  # fmt: skip
            assert word not in whole, word
        assert await notices.work() == [], "once"
        assert await notices.mails() == [("sent", None, None, 1)]

    async def test_goes_to_who_is_waited_for_in_its_language_and_to_nobody_else(self, notices: Notices) -> None:
        world = notices.world
        for code, language in (("shelter", "id"), ("iom", "en"), ("stranger", "en")):
            await notices.tell(code, f"desk@{code}.example.org", language)
        asked = await world.moved(await world.send(sender="iom", receiver="shelter"), "request_info")
        reference = await notices.reference(asked)
        assert await notices.work() == [f"Rujukan: A referral {reference} waits for your agency"]
        offered = await world.send(kind="transfer", sender="police", receiver="ministry")
        assert await notices.work() == []
        assert [mail["To"] for mail in notices.server.taken] == ["desk@iom.example.org"], (
            "the shelter has acted already"
        )
        assert (await notices.mails(code="shelter"))[0][0] == "needless"
        assert await notices.mails(code="stranger") == []
        del offered

    async def test_is_one_for_all_that_comes_within_ten_minutes(self, notices: Notices) -> None:
        world = notices.world
        await notices.tell(language="en")
        first = await world.send(sender="iom", receiver="shelter", urgency="standard")
        assert len(await notices.work()) == 1
        later = [await world.send(sender="iom", receiver="shelter", urgency="standard") for _ in range(12)]
        assert await notices.work() == []
        await world.moved(later[0], "accept", "start")
        world.exchange.later(minutes=10)
        assert await notices.work() == ["Rujukan: 11 things wait for your agency"]
        body = notices.server.taken[-1].get_content()
        for each in later[1:]:
            assert await notices.reference(each) in body
        assert await notices.reference(first) not in body
        now = await world.send(sender="iom", receiver="shelter", urgency="immediate")
        assert await notices.work() == []
        world.exchange.later(minutes=1)
        assert await notices.work() == [f"Rujukan: A referral {await notices.reference(now)} waits for your agency"]

    async def test_tells_of_a_deadline_an_escalation_a_note_and_what_was_declined(self, notices: Notices) -> None:
        world = notices.world
        await notices.tell("iom", language="en")
        noted = await world.accepted(sender="iom", receiver="shelter")
        await notices.world.shelter.post(f"{noted.path}/notes", {"text": "Which ship?"})
        declined = await world.moved(await world.send(sender="iom", receiver="lpsk"), "decline")
        assert await notices.work() == ["Rujukan: 2 things wait for your agency"]
        for each in (noted, declined):
            assert await notices.reference(each) in notices.server.taken[-1].get_content()
        late = await world.send(sender="iom", receiver="sentra", urgency="urgent")
        await notices.tell("sentra", language="en")
        for _ in range(8):
            world.exchange.later(hours=4)
            await notices.work()
        reference = await notices.reference(late)
        for address in ("sentra", "iom"):
            (row,) = await queries.addresses(notices.admin, address)
            told = [
                mail for mail in notices.server.taken if mail["To"] == row["email"] and reference in mail.get_content()
            ]
            assert told, address

    async def test_is_of_events_there_are_and_of_what_happens_from_then_on(self, notices: Notices) -> None:
        assert set(EVENT_TYPES) >= WAITED_FOR
        await notices.world.send(sender="iom", receiver="shelter")
        await notices.work()
        await notices.tell()
        assert await notices.work() == []


class TestAMailThatIsNotTaken:
    async def test_is_tried_again_as_the_same_mail(self, notices: Notices) -> None:
        """Greylisting, a broken line in the middle, a mail taken whose answer was lost: it comes again under its own id, and no oftener than that."""
        await notices.tell()
        notices.server.answers = {"RCPT": ["451 4.7.1 come back later"], "DATA": ["drop"], "TAKEN": ["drop"]}
        await notices.world.send(sender="iom", receiver="shelter")
        for fault, status, attempts in (("later", 451, 1), ("disconnected", None, 2), ("disconnected", None, 3)):
            await notices.work()
            assert await notices.mails() == [("waiting", fault, status, attempts)]
            assert await notices.work() == [], "not at once"
            notices.world.exchange.later(minutes=6)
        assert len(await notices.work()) == 1
        assert await notices.mails() == [("sent", None, None, 4)]
        assert len({(mail["Message-ID"], mail.as_string()) for mail in notices.server.taken}) == 1
        assert len(notices.server.taken) == 2, "the exchange could not know that the first was taken"

    async def test_is_given_up_and_shown_where_the_address_does_not_exist(self, notices: Notices) -> None:
        await notices.tell()
        notices.server.answers = {"RCPT": ["550 5.1.1 no such user"]}
        sent = await notices.world.send(sender="iom", receiver="shelter")
        await notices.work()
        assert await notices.mails() == [("parked", "refused", 550, 1)]
        (address,) = await queries.addresses(notices.admin, None)
        assert (address["parked"], address["refused_at"] is not None) == (1, True)
        (mail,) = await queries.mails(notices.admin, state="parked", code=None, before=None, limit=9)
        await notices.tell(email="right@shelter.example.org")
        await addresses.retry(notices.admin, mail["id"], now=notices.now, actor="op")
        assert len(await notices.work()) == 1
        assert notices.server.taken[-1]["To"] == "right@shelter.example.org"
        with pytest.raises(UnknownAgencyError):
            await addresses.retry(notices.admin, mail["id"], now=notices.now, actor="op")
        assert (await queries.addresses(notices.admin, None))[0]["refused_at"] is None
        del sent

    async def test_is_given_up_after_a_day_and_what_came_meanwhile_goes_in_one(self, notices: Notices) -> None:
        await notices.tell(language="en")
        down = settings_for(notices.world.exchange, notices.server, smtp_port=free_port())
        world = notices.world
        for _ in range(6):
            await world.send(sender="iom", receiver="shelter", urgency="standard")
            await notices.work(settings=down)
            world.exchange.later(hours=5)
        await notices.work(settings=down)
        assert [state for state, *_ in await notices.mails()] == ["waiting", "parked"]
        assert (await notices.mails(state="parked"))[0][1] == "unreachable"
        world.exchange.later(hours=3)
        assert await notices.work() == ["Rujukan: 5 things wait for your agency"]

    async def test_holds_up_no_other_agency_s(self, notices: Notices, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sending, "PATIENCE", 0.3)
        for code in ("shelter", "iom"):
            await notices.tell(code, f"desk@{code}.example.org")
            await notices.world.send(receiver=code)
        notices.server.answers = {"RCPT": ["hang"]}
        assert len(await notices.work()) == 1
        assert sorted(await notices.mails()) == [("sent", None, None, 1), ("waiting", "timeout", None, 1)]

    async def test_comes_back_after_a_worker_died_with_it(self, notices: Notices) -> None:
        await notices.tell()
        await notices.world.send(sender="iom", receiver="shelter")
        await notices.world.exchange.settle()
        async with notices.pool.acquire() as conn:
            await jobs.gather(conn, notices.settings, notices.now)
            (claimed,) = await queries.claim(conn, now=notices.now, lease=jobs.LEASE, limit=8)
            assert await queries.claim(conn, now=notices.now, lease=jobs.LEASE, limit=8) == []
        assert await notices.work() == []
        notices.world.exchange.later(minutes=5)
        assert len(await notices.work()) == 1
        assert str(claimed["id"]) in notices.server.taken[0]["Message-ID"]

    async def test_is_sent_once_by_two_workers(self, notices: Notices) -> None:
        for code in ("shelter", "iom", "lpsk", "sentra"):
            await notices.tell(code, f"desk@{code}.example.org")
            await notices.world.send(receiver=code)
        await asyncio.gather(*(notices.work() for _ in range(4)))
        assert sorted(str(mail["To"]) for mail in notices.server.taken) == [
            f"desk@{code}.example.org" for code in ("iom", "lpsk", "sentra", "shelter")
        ]


class TestWhatTheExchangeCannotDo:
    async def test_for_want_of_the_events_it_does_not_try_for_ever(self, notices: Notices) -> None:
        await notices.tell()
        await notices.world.send(sender="iom", receiver="shelter")
        await notices.world.exchange.settle()
        await notices.world.owner.execute("DELETE FROM event")
        async with notices.pool.acquire() as conn:
            turns = [await jobs.gather(conn, notices.settings, notices.now) for _ in range(2)]
        assert turns == [1, 0]
        await notices.world.send(sender="iom", receiver="shelter")
        assert len(await notices.work()) == 1, "what comes from then on"

    async def test_for_one_agency_is_parked_and_the_others_are_told(
        self, notices: Notices, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = notices.world
        for code in ("shelter", "iom", "lpsk"):
            await notices.tell(code, f"desk@{code}.example.org")
            await world.send(receiver=code)
        right_events, right_letter = queries.events_after, jobs.compose

        async def events_after(conn: Any, agency_id: UUID, *more: Any) -> Any:
            if agency_id == world.id_of("shelter"):
                raise LookupError("what nobody foresaw")
            return await right_events(conn, agency_id, *more)

        def letter(*given: Any, to: str, **more: Any) -> Any:
            if "iom" in to:
                raise ValueError("of Surya")
            return right_letter(*given, to=to, **more)

        async def noted() -> list[tuple[str, str, str]]:
            found = await world.owner.fetch("SELECT job, subject, error FROM parked_job ORDER BY job")
            return [tuple(row) for row in found]

        with monkeypatch.context() as broken:
            broken.setattr(queries, "events_after", events_after)
            broken.setattr(jobs, "compose", letter)
            await notices.work()
            await notices.work()
            assert [mail["To"] for mail in notices.server.taken] == ["desk@lpsk.example.org"]
            assert await noted() == [
                ("gather_notices", "agency", "LookupError"),
                ("send_notices", "notice", "ValueError"),
            ]
            assert await notices.mails(code="iom") == [("waiting", "internal", None, 1)]
            await world.exchange.worker.measure()
            assert metrics.QUEUE.labels("notices")._value.get() == 1
        world.exchange.later(minutes=2)
        assert len(await notices.work()) == 2
        assert await noted() == []


class TestTheLine:
    async def test_is_encrypted_or_nothing_goes(self, notices: Notices, tmp_path: Path) -> None:
        exchange = notices.world.exchange
        await notices.tell()
        plain = await addresses.send_test(
            settings_for(exchange, notices.server, smtp_tls="starttls"), notices.admin, "shelter", now=NOW, actor="op"
        )
        assert (plain.fault, notices.server.tried) == ("tls", 0), "it offers no STARTTLS"
        async with mail_server(tmp_path, tls=True, login=True) as server:
            for password, known, expected in (
                ("right", True, Outcome()),
                ("wrong", True, Outcome("login", 535)),
                ("right", False, Outcome("tls")),
            ):
                settings = settings_for(exchange, server, smtp_tls="starttls", smtp_user="rujukan", smtp_ca=server.ca_file if known else None,
                                        smtp_password=SecretStr(password))  # fmt: skip
                assert await addresses.send_test(settings, notices.admin, "shelter", now=NOW, actor="op") == expected
            assert server.envelopes == [(FROM, [TO], True)]
            assert set(server.logins) == {b"rujukan"}
        async with mail_server(tmp_path, tls=True, name="other.example.org") as server:
            settings = settings_for(exchange, server, smtp_tls="starttls")
            outcome = await addresses.send_test(settings, notices.admin, "shelter", now=NOW, actor="op")
            assert (outcome.fault, server.taken) == ("tls", []), "a certificate of another name"

    async def test_s_settings_are_refused_where_they_are_unsafe_or_not_whole(self) -> None:
        whole = {"notices": "on", "notice_from": FROM, "smtp_host": "mail.example.go.id"}
        for given in (
            {"notices": "on"}, {**whole, "notice_from": "Rujukan <rujukan@example.go.id>"}, {**whole, "notice_from": "a@b.id\r\nBcc: x@y.id"},
            {**whole, "notice_bounces_to": "nobody"}, {**whole, "smtp_user": "x"}, {**whole, "notice_contact": "a\r\nBcc: x@y.id"},
            {**whole, "smtp_user": "x", "smtp_password": "y", "smtp_tls": "none"},
        ):  # fmt: skip
            with pytest.raises(ValueError, match=r"RUJUKAN_|address|pattern"):
                Settings(**given)
        unsafe = Settings(**whole, env="production", smtp_tls="none").unsafe()
        assert [each for each in unsafe if "SMTP" in each] == [
            "RUJUKAN_SMTP_TLS must be starttls or tls: references would go in clear"
        ]
        assert "hunter2" not in repr(Settings(**whole, smtp_user="x", smtp_password="hunter2"))

    async def test_is_used_only_where_it_is_switched_on(self, notices: Notices) -> None:
        exchange = notices.world.exchange
        for settings, there in ((exchange.settings, False), (notices.settings, True)):
            worker = Worker(settings, exchange.addresses, exchange.keyring, exchange.clock)
            assert any(job.name == "send notices" for job in worker.jobs()) is there


class TestTheAddress:
    async def test_is_one_plain_address_of_an_agency_there_is_and_stands_in_no_log(self, notices: Notices) -> None:
        for email in (
            "",
            "x",
            "a@b",
            "A <a@b.id>",
            "a@b.id\nBcc: c@d.id",
            "a@b.id,c@d.id",
            "ä@b.id",
            "a@b.id ",
            f"{'a' * 300}@b.id",
            '"a b"@c.id',
        ):
            with pytest.raises(InvalidValueError):
                await notices.tell(email=email)
        with pytest.raises(UnknownAgencyError):
            await notices.tell("nobody")
        await notices.tell()
        await addresses.remove_address(notices.admin, "shelter", now=notices.now, actor="op")
        with pytest.raises(UnknownAgencyError):
            await addresses.remove_address(notices.admin, "shelter", now=notices.now, actor="op")
        entries = [
            *await notices.world.log(action="agency:notice_address"),
            *await notices.world.log(action="agency:no_notice_address"),
        ]
        assert len(entries) == 2
        assert "@" not in str([entry["detail"] for entry in entries])

    async def test_is_seen_by_no_agency(self, notices: Notices) -> None:
        await notices.tell()
        conn = await asyncpg.connect(notices.world.exchange.addresses.app)
        for table in ("notice_address", "notice_mail", "notice"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.fetch(f"SELECT * FROM {table}")
        await conn.close()

    async def test_that_is_gone_or_of_a_suspended_agency_gets_nothing(self, notices: Notices) -> None:
        await notices.tell()
        await notices.world.send(sender="iom", receiver="shelter")
        await notices.world.exchange.settle()
        async with notices.pool.acquire() as conn:
            await jobs.gather(conn, notices.settings, notices.now)
        await addresses.remove_address(notices.admin, "shelter", now=notices.now, actor="op")
        assert await notices.work() == []
        assert [state for state, *_ in await notices.mails()] == ["needless"]

    async def test_of_an_agency_that_was_suspended_is_told_what_waits_when_it_is_let_in_again(
        self, notices: Notices
    ) -> None:
        await notices.tell()
        await notices.world.send(sender="iom", receiver="shelter")
        await notices.world.exchange.settle()
        async with notices.pool.acquire() as conn:
            await jobs.gather(conn, notices.settings, notices.now)
        await notices.world.owner.execute("UPDATE agency SET status = 'suspended' WHERE code = 'shelter'")
        assert await notices.work() == []
        await notices.world.owner.execute("UPDATE agency SET status = 'active' WHERE code = 'shelter'")
        assert len(await notices.work()) == 1
        await notices.world.exchange.directory.refresh()

    async def test_whose_events_the_feed_has_no_more_keeps_no_other_from_being_told(
        self, notices: Notices, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Notices were off for longer than events are kept."""
        monkeypatch.setattr(jobs, "AGENCIES", 1)
        await notices.tell()
        await notices.tell("iom", "desk@iom.example.org")
        await notices.world.send(sender="iom", receiver="shelter")
        await notices.world.send(receiver="iom")
        await notices.world.exchange.settle()
        await notices.world.owner.execute("DELETE FROM event WHERE agency_id = $1", notices.world.id_of("shelter"))
        async with asyncio.timeout(5):
            assert len(await notices.work()) == 1

    async def test_s_mails_are_forgotten_after_a_month(self, notices: Notices) -> None:
        await notices.tell()
        await notices.world.send(sender="iom", receiver="shelter")
        await notices.work()
        async with notices.pool.acquire() as conn:
            assert await jobs.forget(conn, notices.now + timedelta(days=29)) == 0
            assert await jobs.forget(conn, notices.now + timedelta(days=31)) == 1
        assert await notices.world.owner.fetchval("SELECT count(*) FROM notice") == 0


class TestTheLetter:
    def test_lists_a_hundred_and_says_how_many_more(self) -> None:
        settings = Settings(notice_from=FROM)
        lines = [Line("referral", f"R-{n:04}") for n in range(MOST_LISTED + 7)]
        for language, more in (("id", "dan 7 lainnya"), ("en", "and 7 more")):
            mail = compose(settings, mail_id=UUID(int=7), to=TO, language=language, lines=lines, at=NOW, practice=True)
            body = mail.get_content()
            assert (body.count("R-"), more in body) == (MOST_LISTED, True)
            assert mail["Subject"].startswith(("[latihan] ", "[practice] "))
            again = compose(settings, mail_id=UUID(int=7), to=TO, language=language, lines=lines, at=NOW, practice=True)
            assert again.as_bytes() == mail.as_bytes()
            for each in (Line("request", None), Line("case", "K-1"), Line("transfer", "T-1")):
                assert compose(settings, mail_id=uuid7(NOW), to=TO, language=language, lines=[each], at=NOW)["Subject"]


class TestWhenToTryAgain:
    def test_is_after_pauses_that_grow_for_a_day(self) -> None:
        pauses = [next_try(Outcome("later", 451), attempts=n, first_at=NOW, now=NOW, chance=0) for n in range(1, 12)]
        assert [pause - NOW for pause in pauses if pause] == [
            *(MINUTE * n for n in (1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120))
        ]
        for fault in FAULTS:
            again = next_try(Outcome(fault), attempts=1, first_at=NOW, now=NOW, chance=1)
            assert again == (None if fault in ("refused", "content") else NOW + MINUTE * 1.25), fault
            assert next_try(Outcome(fault), attempts=20, first_at=NOW, now=NOW + timedelta(days=1), chance=0) is None
