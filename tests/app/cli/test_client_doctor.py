"""`doctor --as`: each thing that goes wrong at a client's, looked at from its side, against a service that really runs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.client import Credentials
from app.foundation.database import Addresses
from app.main import create_app
from tests.app.cli.conftest import Machine, Outcome, free_port
from tests.makers import auth as make
from tests.makers.certificates import SERVER, Authority, san, self_signed
from tests.makers.standing import resume_client, suspend_client
from tests.makers.tls import Site, own_tls, running


@dataclass
class Served:
    """A service that really runs, and a client that is registered there."""

    url: str
    file: Path
    client_id: str
    conn: asyncpg.Connection
    exchange: Any
    addresses: Addresses


@dataclass
class Client:
    """A client's own machine: a folder with its credentials and nothing of the exchange's."""

    here: Machine
    file: Path

    def change(self, **values: Any) -> None:
        stored = json.loads(self.file.read_text())
        self.file.write_text(json.dumps({**stored, **values}))

    def doctor(self, *options: str, **env: str) -> Outcome:
        ended = self.here.run("doctor", "--as", str(self.file), "--json", *options, **env)
        assert ended.code == (1 if any(each["state"] == "fail" for each in ended.json) else 0)
        return ended

    def faults(self, *options: str, **env: str) -> list[dict[str, Any]]:
        return [each for each in self.doctor(*options, **env).json if each["state"] == "fail"]

    def fault(self, *options: str, **env: str) -> dict[str, Any]:
        """The one thing that is wrong."""
        (found,) = self.faults(*options, **env)
        return found


@pytest.fixture(scope="session")
async def served(
    exchange: Any, addresses: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Served]:
    """The assembled service on a port, with an agency and a client of it."""
    conn = await asyncpg.connect(addresses.admin)
    with serving(exchange, addresses) as url:
        agency = await make.add_agency(conn, exchange.clock.now())
        credentials = await make.add_client(
            conn, exchange.clock.now(), url, agencies=[agency], scopes=("cases.read", "events.read")
        )
        credentials.save(file := tmp_path_factory.mktemp("doctor") / "client.json")
        await asyncio.sleep(0.6)  # until the process has noticed
        yield Served(url, file, credentials.client_id, conn, exchange, addresses)
    await conn.close()


@contextmanager
def serving(exchange: Any, addresses: Addresses, **settings: Any) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    changed = exchange.settings.model_copy(update={"public_url": url, "database_pool_size": 2, **settings})
    with running(create_app(changed, clock=exchange.clock, where=addresses), changed, listening):
        yield url


@pytest.fixture
def client(served: Served, tmp_path: Path) -> Client:
    file = tmp_path / "client.json"
    file.write_bytes(served.file.read_bytes())
    file.chmod(0o600)
    return Client(Machine(tmp_path / "nothing", free_port()), file)


def states(found: Outcome) -> dict[str, str]:
    return {each["check"]: each["state"] for each in found.json}


class TestAGoodSetUp:
    def test_is_looked_at_to_the_end(self, client: Client):
        found = client.doctor()
        assert [each for each in found.json if each["state"] != "ok"] == []
        assert list(states(found)) == [
            "credentials", "key", "issuer", "name", "network", "clock", "discovery", "signing keys", "audience",
            "token", "scopes", "binding", "call", "replay", "identity", "agency", "key's end", "events",
        ]  # fmt: skip
        assert not client.here.folder.exists(), "it needs nothing of the exchange's machine, and makes nothing"

    def test_says_it_in_words_and_never_a_key_or_a_token(self, client: Client):
        ended = client.here.run("doctor", "--as", str(client.file))
        secret = json.loads(client.file.read_text())["private_jwk"]["d"]
        assert ended.code == 0
        assert "the same request sent again was refused" in ended.out
        assert secret not in ended.out
        assert "eyJ" not in ended.out

    def test_says_which_scopes_other_operations_need(self, client: Client):
        (scopes,) = [each for each in client.doctor("--scope", "cases.read").json if each["check"] == "scopes"]
        assert scopes["says"].startswith("cases.read: ")
        assert "referrals.write" in scopes["says"]

    def test_without_the_feed_is_warned(self, client: Client):
        assert states(client.doctor("--scope", "cases.read"))["events"] == "warn"

    def test_with_nonces_is_as_good(self, client: Client, served: Served):
        """RFC 9449 §8: the doctor answers the challenge as a client must."""
        with serving(served.exchange, served.addresses, dpop_nonces="on") as issuer:
            found = client.doctor("--issuer", issuer)
        assert set(states(found).values()) == {"ok"}
        assert "with a nonce" in str(found.json)


class TestTheClientsOwnSide:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "is not JSON"),
            ("[" * 100_000, "is not JSON"),
            ("[]", "is not a JSON object"),
            ("{}", "lacks client_id, issuer, private_jwk"),
            ('{"client_id": "", "issuer": 5, "private_jwk": {}}', "lacks client_id, issuer, private_jwk"),
        ],
    )
    def test_a_file_of_something_else(self, client: Client, text: str, says: str):
        client.file.write_text(text)
        found = client.fault()
        assert (found["check"], says in found["says"]) == ("credentials", True)

    def test_a_file_that_is_not_there(self, client: Client):
        client.file.unlink()
        assert "there is no file" in client.fault()["says"]

    def test_a_file_that_is_no_text(self, client: Client):
        client.file.write_bytes(b"\xff\xfe\x00")
        assert "cannot be read: no text" in client.fault()["says"]

    def test_a_file_that_others_can_read(self, client: Client):
        client.file.chmod(0o644)
        assert "mode 0644" in client.fault()["says"]

    @pytest.mark.parametrize(
        "jwk",
        [
            {"kty": "oct", "k": "c2VjcmV0"},
            {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "d": "AA"},
            {"kty": "EC"},
            {"kty": 5},
        ],
    )
    def test_a_key_of_another_kind(self, client: Client, jwk: dict[str, Any]):
        client.change(private_jwk=jwk)
        found = client.fault()
        assert (found["check"], "P-256" in found["do"]) == ("key", True)

    def test_a_public_key_where_the_private_one_should_be(self, client: Client):
        public = {
            name: value for name, value in json.loads(client.file.read_text())["private_jwk"].items() if name != "d"
        }
        client.change(private_jwk=public)
        assert "no private members" in client.fault()["says"]

    @pytest.mark.parametrize(
        ("issuer", "says"),
        [
            ("ftp://127.0.0.1", "no https address"),
            ("rujukan.example", "no https address"),
            ("https://[::1", "no https address"),
            ("http://rujukan.example", "is not https"),
            ("https://rujukan.example/oauth2/token", "more than a scheme and a host"),
        ],
    )
    def test_an_issuer_that_is_none(self, client: Client, issuer: str, says: str):
        found = client.fault("--issuer", issuer)
        assert (found["check"], says in found["says"]) == ("issuer", True)

    def test_options_without_a_client(self, client: Client):
        ended = client.here.run("doctor", "--scope", "cases.read")
        assert (ended.code, "--as" in ended.err) == (2, True)


class TestTheWay:
    def test_a_name_nobody_knows(self, client: Client):
        assert client.fault("--issuer", "https://rujukan.invalid")["check"] == "name"

    def test_a_port_where_nobody_listens(self, client: Client):
        found = client.fault("--issuer", f"http://127.0.0.1:{free_port()}")
        assert (found["check"], "refuses connections" in found["says"]) == ("network", True)

    @pytest.mark.parametrize(
        ("seconds", "state", "says"),
        [
            (7, "warn", "s ahead"),
            (-7, "warn", "s late"),
            (30, "fail", "as made in the future"),
            (-30, "fail", "once it is 60 s late"),
            (-200, "fail", "every proof is refused"),
        ],
    )
    def test_a_wrong_clock(self, client: Client, seconds: int, state: str, says: str):
        found = client.doctor(RUJUKAN_CLOCK_OFFSET_SECONDS=str(seconds)).json
        clocks = [each for each in found if each["check"] == "clock"]
        assert clocks[0]["state"] == state
        assert says in clocks[0]["says"]
        refused = [each for each in found if each["check"] == "token" and each["state"] == "fail"]
        assert bool(refused) == (seconds in (30, -200))
        assert all("clock" in each["do"] for each in refused)

    @pytest.mark.parametrize(
        ("certificate", "says"),
        [
            (self_signed("CN=localhost"), "self-signed"),
            (Authority.make().issue("CN=localhost", names=san("localhost"), purposes=SERVER), "does not trust"),
        ],
        ids=["self-signed", "unknown authority"],
    )
    def test_a_certificate_nobody_vouches_for(self, client: Client, tmp_path: Path, certificate: Any, says: str):
        with web_server(tmp_path, certificate) as url:
            found = client.fault("--issuer", url)
        assert (found["check"], says in found["says"]) == ("TLS", True)

    @pytest.mark.parametrize(
        ("name", "days", "says"), [("elsewhere", (-1, 90), "another name"), ("localhost", (-9, -1), "expired")]
    )
    def test_a_certificate_that_is_not_right(
        self, client: Client, tmp_path: Path, name: str, days: tuple[int, int], says: str
    ):
        ca = Authority.make()
        (authority := tmp_path / "ca.crt").write_bytes(ca.issued.pem)
        certificate = ca.issue(f"CN={name}", names=san(name), purposes=SERVER, days=days)
        with web_server(tmp_path, certificate) as url:
            found = client.fault("--issuer", url, "--authority", str(authority))
        assert (found["check"], says in found["says"]) == ("TLS", True)

    def test_an_authority_of_the_exchanges_own_that_is_named(self, client: Client, tmp_path: Path):
        ca = Authority.make()
        (authority := tmp_path / "ca.crt").write_bytes(ca.issued.pem)
        certificate = ca.issue("CN=localhost", names=san("localhost"), purposes=SERVER, days=(-1, 20))
        with web_server(tmp_path, certificate) as url:
            found = client.doctor("--issuer", url, "--authority", str(authority))
        assert states(found)["TLS"] == "warn", "it ends soon"
        assert states(found)["discovery"] == "fail"

    def test_an_authority_file_that_is_none(self, client: Client):
        assert client.fault("--authority", str(client.file))["check"] == "authority"

    def test_a_web_server_that_is_no_exchange(self, client: Client, tmp_path: Path):
        with web_server(tmp_path) as url:
            found = client.fault("--issuer", url)
        assert (found["check"], "is no exchange: HTTP 404" in found["says"]) == ("discovery", True)

    def test_an_address_that_leads_to_https(self, client: Client, tmp_path: Path):
        with web_server(tmp_path, location="https://rujukan.example/somewhere") as url:
            found = client.fault("--issuer", url)
        assert "leads to https" in found["says"]
        assert found["do"] == "Write the issuer with https: https://rujukan.example"

    def test_an_exchange_that_knows_itself_by_another_name(self, client: Client, served: Served):
        found = client.fault("--issuer", served.url.replace("127.0.0.1", "localhost"))
        assert (found["check"], served.url in found["do"]) == ("discovery", True)


class TestTheToken:
    def test_a_key_that_is_not_registered(self, client: Client, served: Served):
        other = Credentials.generate("x", "x").signing_key().private_jwk()
        client.change(private_jwk=other)
        found = client.fault()
        assert (found["check"], "invalid_client" in found["says"]) == ("token", True)
        assert f"this key {other['kid']} is not registered for {served.client_id}" in found["do"]
        assert found["do"].index("(1)") < found["do"].index("(4) the client is not approved yet, or suspended")

    def test_a_client_nobody_knows_is_told_the_same(self, client: Client):
        client.change(client_id="rptc-sistem")
        assert "(2) rptc-sistem is not how the client is written there" in client.fault()["do"]

    @pytest.mark.parametrize("agency", ["kemensos", "nobody"])
    def test_an_agency_it_does_not_act_for(self, client: Client, agency: str):
        found = client.fault("--agency", agency)
        assert "invalid_target" in found["says"]
        assert f"does not act for {agency}" in found["do"]

    def test_a_scope_that_is_not_registered(self, client: Client):
        found = client.fault("--scope", "cases.read cases.write")
        assert "invalid_scope" in found["says"]
        assert "Ask for fewer scopes" in found["do"]

    def test_a_scope_nobody_knows(self, client: Client):
        assert "no scope cases.raed" in client.fault("--scope", "cases.raed")["says"]

    async def test_a_client_that_is_suspended(self, client: Client, served: Served):
        acts = {"now": served.exchange.clock.now(), "actor": "test"}
        await suspend_client(served.conn, served.client_id, **acts)
        await asyncio.sleep(0.6)
        try:
            found = await asyncio.to_thread(client.fault)
        finally:
            await resume_client(served.conn, served.client_id, **acts)
            await asyncio.sleep(0.6)
        assert "invalid_client" in found["says"]
        assert "suspended" in found["do"]


class TestAClientWithACertificate:
    """RFC 8705: no key, no assertion and no proof; the certificate is looked at instead."""

    @pytest.fixture
    async def site(self, exchange: Any, addresses: Addresses, tmp_path: Path) -> AsyncIterator[Site]:
        async with own_tls(exchange, addresses, tmp_path) as site:
            yield site

    async def test_is_looked_at_to_the_end(self, site: Site, tmp_path: Path):
        subject = "CN=rs-bhayangkara,O=Polri,C=ID"
        client_id = await site.register(auth_method="tls_client_auth", tls_name=("subject_dn", subject))
        files = options(site, site.ca.issue(subject), tmp_path)
        run = Machine(tmp_path / "nothing", free_port()).run
        good = await asyncio.to_thread(run, "doctor", "--as", client_id, *files, "--json")
        assert good.code == 0, good.out
        assert {"certificate", "TLS", "token", "binding", "call"} <= set(states(good))
        assert not {"key", "audience", "replay"} & set(states(good))
        other = options(site, site.ca.issue("CN=somebody"), tmp_path)
        bad = await asyncio.to_thread(run, "doctor", "--as", client_id, *other, "--json")
        (fault,) = [each for each in bad.json if each["state"] == "fail"]
        assert (bad.code, "certificate is not registered for" in fault["do"]) == (1, True)

    async def test_that_has_expired_is_told_before_it_is_sent(self, site: Site, tmp_path: Path):
        files = options(site, site.ca.issue("CN=x", days=(-9, -1)), tmp_path)
        ended = await asyncio.to_thread(
            Machine(tmp_path / "nothing", free_port()).run, "doctor", "--as", "x", *files, "--json"
        )
        (fault,) = [each for each in ended.json if each["state"] == "fail"]
        assert (fault["check"], "has expired" in fault["says"]) == ("certificate", True)


def options(site: Site, certificate: Any, folder: Path) -> list[str]:
    (authority := folder / "exchange-ca.crt").write_bytes(site.ca.issued.pem)
    written, key = certificate.write(folder, "client")
    return [
        "--issuer",
        site.url,
        "--certificate",
        str(written),
        "--certificate-key",
        str(key),
        "--authority",
        str(authority),
    ]


@contextmanager
def web_server(folder: Path, certificate: Any = None, location: str | None = None) -> Iterator[str]:
    """A web server that is no exchange: it knows no page, or sends everybody elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404 if location is None else 301)
            if location is not None:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate.write(folder, "server"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    scheme, host = ("http", "127.0.0.1") if certificate is None else ("https", "localhost")
    try:
        yield f"{scheme}://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


pytestmark = pytest.mark.skipif(os.name != "posix", reason="file modes are looked at")
