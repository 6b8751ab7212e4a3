"""A real mail server, which takes, refuses, dawdles or breaks off as it is told."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as SmtpSession

from tests.makers.certificates import SERVER, Authority, san


@dataclass
class MailServer:
    """What came, and how the next commands are answered."""

    port: int = 0
    ca_file: Path | None = None
    answers: dict[str, list[str]] = field(default_factory=dict)
    """By command, what is answered to the next ones of it; `drop` breaks the connection off, `hang` answers nothing."""
    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str | None, list[str], bool]] = field(default_factory=list)
    """Sender, recipients, whether by TLS."""
    logins: list[bytes] = field(default_factory=list)
    tried: int = 0

    async def _answer(self, command: str, server: SMTP) -> str | None:
        waiting = self.answers.get(command)
        if not waiting:
            return None
        answer = waiting.pop(0)
        if answer == "hang":
            await asyncio.sleep(3600)
        if answer == "drop":
            assert server.transport is not None
            server.transport.abort()
            await asyncio.sleep(3600)
        return answer

    async def handle_MAIL(
        self, server: SMTP, session: SmtpSession, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tried += 1
        if answer := await self._answer("MAIL", server):
            return answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: SmtpSession, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := await self._answer("RCPT", server):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: SmtpSession, envelope: Envelope) -> str:
        if answer := await self._answer("DATA", server):
            return answer
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos, session.ssl is not None))
        if answer := await self._answer("TAKEN", server):
            return answer
        return "250 taken"

    def authenticate(
        self, server: SMTP, session: SmtpSession, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login)
        return AuthResult(success=data.password == b"right", handled=False)


@asynccontextmanager
async def mail_server(
    folder: Path, *, tls: bool = False, login: bool = False, name: str = "localhost"
) -> AsyncIterator[MailServer]:
    """Run one on this machine. `tls`: it offers STARTTLS, by a certificate of an authority of its own."""
    server = MailServer()
    context = None
    if tls:
        authority = Authority.make()
        certificate, key = authority.issue(names=san(dns=name), purposes=SERVER).write(folder, "mail")
        server.ca_file = folder / "mail-ca.pem"
        server.ca_file.write_bytes(authority.issued.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    sessions: list[SMTP] = []

    def session() -> SMTP:
        made = SMTP(
            server,
            hostname="localhost",
            tls_context=context,
            require_starttls=tls,
            auth_required=login,
            authenticator=server.authenticate,
            loop=asyncio.get_running_loop(),
        )
        sessions.append(made)
        return made

    listening = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for each in sessions:
            if each.transport is not None:
                each.transport.abort()
            if each._handler_coroutine is not None:
                each._handler_coroutine.cancel()
        await asyncio.sleep(0)


def free_port() -> int:
    """A port at which nothing answers."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
