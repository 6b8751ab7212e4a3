"""The pages as they are served: strict headers, two languages, nothing of anybody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.admin.pages.endpoints import HERE
from app.admin.pages.words import PROVIDER, WORDS

PAGES = ["sign-in", "enrol", "confirm", "sessions", "command-line"]


class TestEveryPage:
    @pytest.mark.parametrize("page", PAGES)
    async def test_is_strict(self, browser_of, page):
        reply = await browser_of().http.get(f"/admin/{page}")
        assert reply.status_code == 200
        policy = dict(part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert (policy["script-src"], policy["style-src"], policy["connect-src"]) == ("'self'",) * 3
        assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == ("'none'",) * 3
        assert "unsafe" not in str(policy)
        assert reply.headers["x-frame-options"] == "DENY"
        assert reply.headers.get_list("referrer-policy") in (["no-referrer"], ["no-referrer", "no-referrer"])
        assert reply.headers["cache-control"] == "no-store"
        assert "publickey-credentials-get=(self)" in reply.headers["permissions-policy"]
        assert "camera=()" in reply.headers["permissions-policy"]

    @pytest.mark.parametrize("page", PAGES)
    async def test_writes_no_script_or_style_into_itself_and_fetches_nothing_from_elsewhere(self, browser_of, page):
        text = (await browser_of().http.get(f"/admin/{page}")).text
        assert re.findall(r"<script(?![^>]*(?:src=|application/json))", text) == []
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)
        for address in re.findall(r"""(?:src|href|action)="([^"]*)""", text):
            assert not address.startswith(("http", "//", "/")), address

    @pytest.mark.parametrize(
        ("path", "status"), [("oidc/start", 404), ("oidc/callback", 404), ("oidc/start?confirm=1", 401)]
    )
    async def test_on_the_way_to_the_provider_looks_and_is_like_the_others_and_has_no_script(
        self, browser_of, path, status
    ):
        reply, sign_in = [await browser_of().http.get(f"/admin/{each}") for each in (path, "sign-in")]
        assert reply.status_code == status
        for name in ("content-security-policy", "x-frame-options", "permissions-policy", "cache-control", "vary"):
            assert reply.headers[name] == sign_in.headers[name]
        assert "<script" not in reply.text
        for address in re.findall(r"""(?:src|href)="(\.\./static[^"]*)""", reply.text):
            assert (await browser_of().http.get(f"/admin/oidc/{address}")).status_code == 200
        assert "../static/people.css" in reply.text

    @pytest.mark.parametrize("language", ["en", "id"])
    async def test_speaks_both_languages(self, browser_of, language):
        reply = await browser_of().http.get("/admin/sign-in", headers={"Accept-Language": language})
        assert reply.headers["content-language"] == language
        assert "Accept-Language" in reply.headers["vary"]
        assert f'<html lang="{language}">' in reply.text
        assert WORDS[language]["by_passkey"] in reply.text

    async def test_offers_no_provider_where_there_is_none(self, browser_of):
        for page in PAGES:
            assert "oidc/" not in (await browser_of().http.get(f"/admin/{page}")).text

    @pytest.mark.usefixtures("provider")
    async def test_offers_the_provider_where_there_is_one(self, browser_of):
        assert 'href="oidc/start"' in (await browser_of().http.get("/admin/sign-in")).text
        assert 'href="oidc/start?confirm=1"' in (await browser_of().http.get("/admin/confirm")).text
        enrol = await browser_of().http.get("/admin/enrol")
        assert 'action="oidc/start"' in enrol.text
        assert "form-action 'self'" in enrol.headers["content-security-policy"]


def test_the_sentences_on_the_way_to_the_provider_are_there_in_both_languages():
    assert all(set(said) == {"en", "id"} for _, said in PROVIDER.values())


def test_the_words_are_the_same_in_both_languages_and_all_are_used():
    assert WORDS["en"].keys() == WORDS["id"].keys()
    texts = [path.read_text() for path in (*HERE.glob("*.js"), *(HERE.parent / "templates").glob("*.html"))]
    used = set(re.findall(r"words\.([a-z_]+)", "".join(texts)))
    assert used <= WORDS["en"].keys()
    computed = {name for name in WORDS["en"] if name.startswith(("role_", "method_"))}
    assert WORDS["en"].keys() - computed == used


async def test_what_the_pages_need_is_served(browser_of):
    for path in ("people.js", "people.css", "common/rujukan.css", "common/rujukan.svg"):
        assert (await browser_of().http.get(f"/admin/static/{path}")).status_code == 200
    for path in ("../endpoints.py", "%2e%2e/endpoints.py", "common/../../endpoints.py"):
        assert (await browser_of().http.get(f"/admin/static/{path}")).status_code == 404


class TestHome:
    @pytest.mark.parametrize("path", ["/admin", "/admin/"])
    async def test_leads_to_signing_in(self, browser_of, path):
        reply = await browser_of().http.get(path, follow_redirects=True)
        assert reply.url.path == "/admin/sign-in"

    async def test_leads_to_ones_sessions(self, signed_in):
        reply = await (await signed_in()).http.get("/admin", follow_redirects=True)
        assert reply.url.path == "/admin/sessions"

    @pytest.mark.parametrize(
        "path", ["/admin//evil.example", "/admin/?next=https://evil.example", "/admin?next=//evil"]
    )
    async def test_leads_nowhere_else(self, browser_of, path):
        reply = await browser_of().http.get(path)
        assert "evil" not in reply.headers.get("location", "")


def test_the_script_puts_no_markup_into_a_page():
    script = Path(HERE / "people.js").read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|localStorage|sessionStorage", script)
