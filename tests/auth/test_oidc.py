"""The exchange as a relying party, and a provider that misbehaves in one way at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey
from pydantic import ValidationError
from starlette.responses import Response

from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from auth import jose
from auth.people.oidc import Identity, ProviderUnavailableError, RelyingParty, SignInRefusedError, relying_party
from tests.makers.auth import ABSENT, b64, ec_key, okp_key, rsa_key, unverified
from tests.makers.openid_provider import FakeProvider, fake_provider

STATE = "s" * 43
METADATA = "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
async def _provider(exchange: Any) -> AsyncIterator[FakeProvider]:
    async with fake_provider(exchange.clock) as made:
        yield made


@pytest.fixture
def provider(exchange: Any, _provider: FakeProvider) -> FakeProvider:
    _provider.key = ec_key()
    _provider.behave()
    return _provider


@pytest.fixture
def party(exchange: Any, provider: FakeProvider) -> RelyingParty:
    """The exchange as that provider's client."""
    return RelyingParty(
        issuer=provider.issuer,
        client_id="rujukan",
        redirect_uri="https://rujukan.test/admin/oidc/callback",
        keyring=exchange.keyring,
        clock=exchange.clock.now,
        key=jose.generate("ES256"),
    )


async def asked(party: RelyingParty, **more: Any) -> dict[str, str]:
    url = await party.authorization_url(STATE, max_age=timedelta(hours=12), **more)
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


async def signed_in(party: RelyingParty, provider: FakeProvider, **more: Any) -> Identity:
    """Go the whole way; the provider sees the nonce, as it would in the browser's request."""
    provider.nonce = (await asked(party))["nonce"]
    return await party.identify(STATE, "code", **more)


class TestRight:
    async def test_says_who_it_is(self, party: RelyingParty, provider: FakeProvider) -> None:
        who = await signed_in(party, provider)
        assert (who.issuer, who.subject) == (provider.issuer, "warsih")
        (form,) = provider.forms
        assert (form["grant_type"], form["code"], form["redirect_uri"]) == (
            "authorization_code",
            "code",
            party.redirect_uri,
        )

    async def test_shows_that_it_began(self, party: RelyingParty, provider: FakeProvider) -> None:
        """RFC 7636: the challenge in the browser's request is of the verifier that comes with the code."""
        challenge = (await asked(party))["code_challenge"]
        await signed_in(party, provider)
        assert b64(hashlib.sha256(provider.forms[0]["code_verifier"].encode()).digest()) == challenge

    async def test_authenticates_for_the_issuer_and_with_each_assertion_once(
        self, party: RelyingParty, provider: FakeProvider
    ) -> None:
        for _ in range(2):
            await signed_in(party, provider)
        claims = [unverified(form["client_assertion"])[1] for form in provider.forms]
        assert {each["aud"] for each in claims} == {provider.issuer}
        assert all(each["exp"] - each["iat"] <= 60 for each in claims)
        assert len({each["jti"] for each in claims}) == 2

    @pytest.mark.parametrize(
        ("key", "algorithm"), [(rsa_key(), "RS256"), (rsa_key(), "PS256"), (okp_key(), "EdDSA"), (ec_key(), "ES256")]
    )
    async def test_may_be_signed_by(
        self, party: RelyingParty, provider: FakeProvider, key: Any, algorithm: str
    ) -> None:
        provider.key, provider.header = key, {"alg": algorithm}
        provider.metadata = {"id_token_signing_alg_values_supported": [algorithm]}
        assert (await signed_in(party, provider)).subject == "warsih"

    async def test_may_be_for_us_in_a_list(self, party: RelyingParty, provider: FakeProvider) -> None:
        provider.claims = {"aud": ["rujukan"], "azp": "rujukan"}
        assert (await signed_in(party, provider)).subject == "warsih"

    async def test_may_be_signed_by_a_new_key(self, exchange: Any, party: RelyingParty, provider: FakeProvider) -> None:
        await signed_in(party, provider)
        provider.key = ec_key()
        provider.keys = [{**provider.key.as_dict(private=False), "kid": "two"}]
        provider.header = {"kid": "two"}
        exchange.later(seconds=61)
        assert (await signed_in(party, provider)).subject == "warsih"
        assert provider.asked.count("/jwks") == 2

    async def test_keys_of_other_kinds_are_passed_over(self, party: RelyingParty, provider: FakeProvider) -> None:
        strange = [{"kty": "AKP", "kid": "one"}, {"kty": "oct", "k": "eA", "kid": "one"}, {"kty": "EC"}, "x", None]
        weak = {**rsa_key(1024).as_dict(private=False), "kid": "one"}
        provider.keys = [*strange, weak, *provider.published()]
        assert (await signed_in(party, provider)).subject == "warsih"


WRONG: dict[str, dict[str, Any]] = {
    "of another provider": {"says": "issuer", "claims": {"iss": "https://evil.example"}},
    "of no provider": {"says": "issuer", "claims": {"iss": ABSENT}},
    "for another client": {"says": "audience", "claims": {"aud": "another"}},
    "for another client too": {"says": "audience", "claims": {"aud": ["rujukan", "another"], "azp": "rujukan"}},
    "for nobody": {"says": "audience", "claims": {"aud": []}},
    "obtained by another client": {"says": "authorized party", "claims": {"azp": "another"}},
    "with another nonce": {"says": "nonce", "claims": {"nonce": "n" * 43}},
    "with a nonce that is no text": {"says": "nonce", "claims": {"nonce": 7}},
    "without a nonce": {"says": "nonce", "claims": {"nonce": ABSENT}},
    "of nobody": {"says": "subject", "claims": {"sub": ABSENT}},
    "of an empty subject": {"says": "subject", "claims": {"sub": ""}},
    "of a subject that is no text": {"says": "subject", "claims": {"sub": ["warsih"]}},
    "of a long subject": {"says": "subject", "claims": {"sub": "x" * 256}},
    "that has expired": {"says": "expired", "claims": {"exp": 1_700_000_000}},
    "that never expires": {"says": "no exp", "claims": {"exp": ABSENT}},
    "that expires at no time": {"says": "no exp", "claims": {"exp": float("nan")}},
    "that was made long ago": {"says": "not made now", "claims": {"iat": 1_700_000_000}},
    "that was made tomorrow": {"says": "not made now", "claims": {"iat": 9_000_000_000, "exp": 9_000_000_060}},
    "that counts from tomorrow": {"says": "not valid yet", "claims": {"nbf": 9_000_000_000}},
    "that does not say when it was proved": {"says": "no auth_time", "claims": {"auth_time": ABSENT}},
    "that says so with no time": {"says": "no auth_time", "claims": {"auth_time": True}},
    "that is not signed": {"says": "does not verify", "header": {"alg": "none"}},
    "signed by our secret": {"says": "does not verify", "header": {"alg": "HS256"}, "key": OctKey.import_key("x" * 32)},
    "signed by the public key as a secret": {"says": "does not verify", "header": {"alg": "HS256"}},
    "signed by another key": {"says": "BadSignature", "key": ec_key(), "publishes": ec_key()},
    "signed by an unknown key": {"says": "InvalidKeyId", "header": {"kid": "two"}},
    "signed by an algorithm it does not list": {
        "says": "does not verify",
        "header": {"alg": "PS256"},
        "key": rsa_key(),
    },
    "with a critical header": {"says": "does not verify", "header": {"crit": ["x"], "x": 1}},
    "with a critical header that is none": {"says": "does not verify", "header": {"crit": None}},
    "that is an access token": {"says": "not an ID token", "header": {"typ": "at+jwt"}},
}


class TestWrong:
    @pytest.mark.parametrize("wrong", WRONG)
    async def test_is_an_id_token(self, party: RelyingParty, provider: FakeProvider, wrong: str) -> None:
        how = WRONG[wrong]
        provider.claims, provider.header = how.get("claims", {}), how.get("header", {})
        provider.key = how.get("key", provider.key)
        if "publishes" in how:
            provider.keys = [{**how["publishes"].as_dict(private=False), "kid": "one"}]
        if isinstance(provider.key, OctKey):
            provider.keys = [{**ec_key().as_dict(private=False), "kid": "one"}]
        with pytest.raises(SignInRefusedError, match=how["says"]) as refused:
            await signed_in(party, provider)
        assert "warsih" not in str(refused.value)
        assert "evil" not in str(refused.value)

    async def test_is_a_weak_key(self, party: RelyingParty, provider: FakeProvider) -> None:
        provider.key, provider.header = rsa_key(1024), {"alg": "RS256"}
        with pytest.raises(ProviderUnavailableError, match="no key that is taken"):
            await signed_in(party, provider)

    @pytest.mark.parametrize(
        "token", [None, 7, "", "x", "a.b.c", "é.é.é", "x" * 9000, f"{b64('{}')}.{b64('{}')}.", "e30." * 4]
    )
    async def test_is_no_id_token_at_all(self, party: RelyingParty, provider: FakeProvider, token: Any) -> None:
        said = json.dumps({"access_token": "x", "token_type": "Bearer", "id_token": token})
        provider.answers["/token"] = Response(said, media_type="application/json")
        with pytest.raises(SignInRefusedError, match=r"no ID token|does not verify"):
            await signed_in(party, provider)

    @pytest.mark.parametrize(
        "answer",
        [
            Response("no", 500),
            Response("not JSON"),
            Response("[]", media_type="application/json"),
            Response("[" * 60_000),
            Response(b"x" * 70_000),
            Response(b"", headers={"Content-Encoding": "gzip"}),
            Response(status_code=302, headers={"Location": "http://169.254.169.254/"}),
        ],
    )
    @pytest.mark.parametrize("path", [METADATA, "/jwks", "/token"])
    async def test_is_an_answer(self, party: RelyingParty, provider: FakeProvider, path: str, answer: Response) -> None:
        provider.answers[path] = answer
        with pytest.raises((SignInRefusedError, ProviderUnavailableError)):
            await signed_in(party, provider)
        assert provider.asked.count(path) == 1  # a redirect is not followed

    @pytest.mark.parametrize(
        "wrong",
        [
            {"issuer": "https://evil.example"},
            {"issuer": ABSENT},
            {"token_endpoint": ABSENT},
            {"token_endpoint": 7},
            {"jwks_uri": "file:///etc/passwd"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"id_token_signing_alg_values_supported": ["none", "HS256"]},
            {"id_token_signing_alg_values_supported": 7},
            {"token_endpoint_auth_methods_supported": ["client_secret_basic"]},
        ],
    )
    async def test_is_its_metadata(self, party: RelyingParty, provider: FakeProvider, wrong: dict[str, Any]) -> None:
        provider.metadata = wrong
        with pytest.raises(ProviderUnavailableError):
            await asked(party)

    async def test_is_the_answers_issuer(self, party: RelyingParty, provider: FakeProvider) -> None:
        """RFC 9207 §2.4: wrong is refused always, none only where the provider says that it gives one."""
        await party.check_issuer(None)
        await party.check_issuer(provider.issuer)
        with pytest.raises(SignInRefusedError):
            await party.check_issuer(f"{provider.issuer}/")


class TestProvingAgain:
    async def test_is_asked_for(self, party: RelyingParty) -> None:
        assert (await asked(party, prompt="login"))["prompt"] == "login"

    @pytest.mark.parametrize(("seconds", "counts"), [(0, True), (5, True), (60, False)])
    async def test_counts_from_when_it_began(
        self, exchange: Any, party: RelyingParty, provider: FakeProvider, seconds: int, counts: bool
    ) -> None:
        began = exchange.clock.now()
        provider.claims = {"auth_time": int(began.timestamp()) - seconds}
        if counts:
            assert (await signed_in(party, provider, proved_since=began)).subject == "warsih"
        else:
            with pytest.raises(SignInRefusedError, match="not proved again"):
                await signed_in(party, provider, proved_since=began)

    async def test_is_never_later_than_now(self, exchange: Any, party: RelyingParty, provider: FakeProvider) -> None:
        provider.claims = {"auth_time": int(exchange.clock.now().timestamp()) + 86_400}
        assert (await signed_in(party, provider)).authenticated_at <= exchange.clock.now()


class TestWhatIsKept:
    async def test_is_fetched_once_an_hour(self, exchange: Any, party: RelyingParty, provider: FakeProvider) -> None:
        for _ in range(3):
            await signed_in(party, provider)
        assert (provider.asked.count(METADATA), provider.asked.count("/jwks")) == (1, 1)
        exchange.later(minutes=61)
        await signed_in(party, provider)
        assert (provider.asked.count(METADATA), provider.asked.count("/jwks")) == (2, 2)

    async def test_is_used_on_while_the_provider_cannot_be_reached(
        self, exchange: Any, party: RelyingParty, provider: FakeProvider
    ) -> None:
        await signed_in(party, provider)
        exchange.later(hours=2)
        for path in (METADATA, "/jwks"):
            provider.answers[path] = Response("no", 503)
        for _ in range(3):
            assert (await signed_in(party, provider)).subject == "warsih"
        assert provider.asked.count("/jwks") == 2
        exchange.later(hours=23)
        with pytest.raises(ProviderUnavailableError):
            await signed_in(party, provider)

    async def test_is_not_fetched_for_every_unknown_key(self, party: RelyingParty, provider: FakeProvider) -> None:
        provider.header = {"kid": "two"}
        for _ in range(4):
            with pytest.raises(SignInRefusedError):
                await signed_in(party, provider)
        assert provider.asked.count("/jwks") == 1

    async def test_nobody_waits_for_a_provider_that_has_just_failed(
        self, exchange: Any, party: RelyingParty, provider: FakeProvider
    ) -> None:
        provider.answers[METADATA] = Response("no", 503)
        for _ in range(3):
            with pytest.raises(ProviderUnavailableError):
                await asked(party)
        assert provider.asked == [METADATA]
        provider.answers.clear()
        exchange.later(seconds=6)
        assert (await asked(party))["client_id"] == "rujukan"


class TestSettings:
    def settings(self, folder: Path, **values: Any) -> Settings:
        return Settings(data_dir=folder, **{f"oidc_{name}": value for name, value in values.items()})

    @pytest.mark.parametrize(
        "values",
        [
            {"issuer": "https://login.example"},
            {"issuer": "https://login.example", "client_id": "x"},
            {"issuer": "https://login.example", "client_id": "", "client_secret": "x"},
            {"issuer": "https://login.example", "client_id": "x", "client_secret": "x", "key_file": "y"},
            {"client_id": "x"},
            {"client_secret": "x"},
            {"issuer": "login.example", "client_id": "x", "client_secret": "x"},
            {"issuer": "https://login.example?x=1", "client_id": "x", "client_secret": "x"},
        ],
    )
    def test_belong_together(self, tmp_path: Path, values: dict[str, Any]) -> None:
        with pytest.raises(ValidationError) as refused:
            self.settings(tmp_path, **values)
        assert "RUJUKAN_OIDC" in str(refused.value) or "must be an issuer" in str(refused.value)

    def test_are_refused_in_production_if_unsafe(self, tmp_path: Path) -> None:
        key = tmp_path / "key.json"
        key.write_text("{}")
        key.chmod(0o644)
        settings = self.settings(tmp_path, issuer="http://login.example", client_id="x", key_file=key)
        reasons = settings.model_copy(update={"env": "production"}).unsafe()
        assert {"RUJUKAN_OIDC_ISSUER must be https"} <= set(reasons)
        assert any(reason.startswith("RUJUKAN_OIDC_KEY_FILE must be readable") for reason in reasons)

    @pytest.mark.parametrize("content", ["", "{}", "[]", '{"kty": "oct", "k": "eA"}'])
    def test_name_a_key_file_that_holds_a_key(self, exchange: Any, tmp_path: Path, content: str) -> None:
        (tmp_path / "key.json").write_text(content)
        settings = self.settings(
            tmp_path, issuer="https://login.example", client_id="x", key_file=tmp_path / "key.json"
        )
        with pytest.raises(ValueError, match="RUJUKAN_OIDC_KEY_FILE does not hold"):
            relying_party(settings, exchange.keyring, exchange.clock.now)

    def test_are_for_who_wants_them(self, exchange: Any, tmp_path: Path) -> None:
        keyring: Keyring = exchange.keyring
        assert relying_party(self.settings(tmp_path), keyring, exchange.clock.now) is None
        shown = self.settings(tmp_path, issuer="https://login.example/realms/x", client_id="x", client_secret="hush")
        party = relying_party(shown, keyring, exchange.clock.now)
        assert party is not None
        assert "hush" not in repr(party) + repr(shown)
