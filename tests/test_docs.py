"""The documents are true: examples are valid, links lead somewhere, and what they name exists."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from typer.main import get_group

import app.cli
from app.foundation.ids import read_reference
from app.foundation.problems import all_problems
from app.foundation.settings import Settings
from auth.scopes import Scope
from schemas.checks import RecordWarning
from schemas.exchange import case, common, consent, event, referral
from tests.contract.document import DOCUMENT, operations_of
from tests.makers.world import World

ROOT = Path(__file__).parents[1]
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")})
NAMED = [str(path.relative_to(ROOT)) for path in PAGES]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def blocks(path: Path, language: str) -> list[tuple[str, str]]:
    """The code blocks of a page in one language: what stands after the language, and the text."""
    found = [(info.split(" ", 1), text) for info, text in BLOCK.findall(path.read_text())]
    return [(" ".join(info[1:]), text) for info, text in found if info[0] == language]


def prose(path: Path) -> str:
    """A page without its code blocks."""
    return BLOCK.sub("", path.read_text())


def operations() -> dict[str, dict]:
    """Every operation by method and path, with `{id}` for any parameter."""
    return {
        f"{method.upper()} {re.sub(r'{[^}]+}', '{id}', path)}": operation
        for method, path, operation in operations_of(DOCUMENT)
    }


OPERATIONS = operations()


def model_of(content: dict) -> TypeAdapter:
    name = content["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1].split("-")[0]
    return TypeAdapter(
        next(getattr(module, name) for module in (referral, case, consent, common, event) if hasattr(module, name))
    )


EXAMPLES = [
    pytest.param(label, text, id=f"{path.name}: {label} {number}")
    for path in PAGES
    for number, (label, text) in enumerate(blocks(path, "json"))
    if label
]


class TestExamples:
    @pytest.mark.parametrize(("label", "text"), EXAMPLES)
    def test_is_what_the_code_takes_or_gives(self, label: str, text: str) -> None:
        kind, *rest = label.split(" ", 2)
        if kind == "problem":
            said = json.loads(text)
            known = {f"/problems/{problem.type}": problem for problem in all_problems()}[said["type"]]
            assert (said["status"], said["title"]) == (known.status, known.title)
            assert str(said["status"]) == rest[0]
        elif kind == "answer":
            status, operation = rest
            model_of(OPERATIONS[operation]["responses"][status]).validate_json(text)
        elif kind == "manifest":
            referral.Manifest.model_validate_json(text)
        elif kind == "warnings":
            TypeAdapter(list[RecordWarning]).validate_json(text)
        else:
            model_of(OPERATIONS[label]["requestBody"]).validate_json(text)

    def test_there_are_some(self) -> None:
        labels = {label for label, _ in blocks(ROOT / "docs" / "integrating.md", "json")}
        assert "" not in labels, "an unlabelled block is checked by nobody"
        assert {"POST /v1/referrals", "POST /v1/transfers/{id}/accept", "problem 403", "manifest"} <= labels

    def test_the_digest_is_computed_as_the_page_says(self) -> None:
        page = ROOT / "docs" / "integrating.md"
        ((_, code),) = blocks(page, "python")
        names: dict = {}
        exec(code, names)
        found = {label: json.loads(text) for label, text in blocks(page, "json")}
        digest = names["manifest_digest"](found["manifest"])
        assert digest == found["POST /v1/transfers/{id}/accept"]["manifest_digest"]

    async def test_the_first_referral_can_be_sent_and_accepted(self, world: World) -> None:
        ((_, text),) = blocks(ROOT / "README.md", "json")
        (accept,) = re.findall(r"/accept --if-match 1.*?-d '(.*?)'", (ROOT / "README.md").read_text(), re.DOTALL)
        sent = await world.police.post("/v1/referrals", json.loads(text))
        assert sent.status_code == 201, sent.text
        path = f"/v1/referrals/{sent.json()['id']}"
        preview = (await world.shelter.get(path)).json()
        assert (preview["record"], preview["preview"]["age_band"]) == (None, "age_18_24")
        accepted = await world.shelter.post(f"{path}/accept", json.loads(accept), if_match=1)
        assert accepted.status_code == 200, accepted.text
        assert (await world.shelter.get(path)).json()["record"]["identity"]["names"] == [{"full": "Surya"}]


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=NAMED)
    def test_lead_somewhere(self, page: Path) -> None:
        for target in LINK.findall(prose(page)):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            found = (page.parent / name).resolve() if name else page
            assert found.exists(), target
            if anchor:
                text = found.read_text()
                headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in slugs.union(re.findall(r'<a id="([\w-]+)"></a>', text)), target

    def test_every_page_is_in_the_index(self) -> None:
        index = LINK.findall((ROOT / "docs" / "README.md").read_text())
        pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
        assert pages <= set(index)


@pytest.mark.parametrize("page", PAGES, ids=NAMED)
class TestNames:
    def test_problems_exist(self, page: Path) -> None:
        known = {problem.type for problem in all_problems()}
        assert set(re.findall(r"/problems/([a-z-]+)", page.read_text())) <= known

    def test_settings_exist(self, page: Path) -> None:
        known = {f"RUJUKAN_{name.upper()}" for name in Settings.model_fields} | {
            "RUJUKAN_ACTOR",
            "RUJUKAN_CLIENT",
            "RUJUKAN_LANG",
        }
        known |= set(
            re.findall(r"RUJUKAN_[A-Z]+", (ROOT / "Makefile").read_text())
        )  # of the tests, not of the exchange
        named = re.findall(r"RUJUKAN_[A-Z_]*[A-Z](?![A-Z_*])", page.read_text())
        assert set(named) <= known

    def test_scopes_exist(self, page: Path) -> None:
        named = re.findall(r"`([a-z]+\.(?:read|write))`", page.read_text())
        assert set(named) <= {str(scope) for scope in Scope}

    def test_events_exist(self, page: Path) -> None:
        named = re.findall(r"`((?:referral|transfer|case)\.(?!json)[a-z_]+)`", page.read_text())
        assert set(named) <= {*event.EVENT_TYPES, *(str(scope) for scope in Scope)}

    def test_references_could_be_read_out(self, page: Path) -> None:
        named = re.findall(r"\b[KRT]-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z*~$=]", page.read_text())
        assert [name for name in named if read_reference(name) != name] == []

    def test_files_exist(self, page: Path) -> None:
        named = re.findall(r"`((?:app|auth|schemas|deploy|docs|tests|openapi|\.ci)/[\w./-]*)`", prose(page))
        assert not [name for name in named if not (ROOT / name).exists() and not (ROOT / "tests" / name).exists()]

    def test_commands_exist_with_their_options(self, page: Path) -> None:
        lines = [line for _, text in blocks(page, "bash") for line in text.replace("\\\n", " ").splitlines()]
        lines += re.findall(r"`(rujukan [^`\n]+)`", prose(page))
        lines += re.findall(r"^    \$ (.+)$", prose(page).replace("\\\n", " "), re.MULTILINE)
        for line in lines:
            words = shlex.split(line, comments=True)
            if "rujukan" not in words or {"…", "COMMAND"} & {*words}:
                continue
            words = words[words.index("rujukan") + 1 :]
            command = get_group(app.cli.app)
            while hasattr(command, "get_command") and words and not words[0].startswith("-"):
                command = command.get_command(None, words.pop(0))
                assert command is not None, line
            known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
            assert {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= known, line


def test_every_problem_an_integrator_meets_is_explained_by_its_page() -> None:
    assert all(problem.page() for problem in all_problems())


def test_every_scope_is_in_the_integrators_page() -> None:
    text = (ROOT / "docs" / "integrating.md").read_text()
    assert not [scope for scope in Scope if f"`{scope}`" not in text]


def test_every_direct_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        group: sorted(re.match(r"[\w.-]+", line)[0].lower() for line in lines)
        for group, lines in {"run": project["dependencies"], **project["optional-dependencies"]}.items()
    }
    node = json.loads((ROOT / "tests" / "clients" / "package.json").read_text())
    wanted["node"] = sorted(node["dependencies"])
    found: dict[str, list[str]] = {}
    for title, body in re.findall(r"^## (\w+)[^\n]*\n(.*?)(?=^## |\Z)", DEPENDENCIES.read_text(), re.DOTALL | re.M):
        names = sorted(re.findall(r"^\| `([\w.-]+)` \|", body, re.MULTILINE))
        if names:
            found[title.lower()] = names
    assert found == wanted


DEPENDENCIES = ROOT / "docs" / "dependencies.md"


def test_the_changelog_has_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert re.search(rf"^## \[{re.escape(project['version'])}\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def tracked() -> list[Path]:
    """Text files of the repository, tracked or about to be."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


REGISTRIES = [
    "pypi." + "org",
    "pythonhosted." + "org",
    "npmjs." + "org",
    "npmjs." + "com",
    "docker." + "io",
    "docker." + "com",
    "ghcr." + "io",
    "quay." + "io",
    "gcr." + "io",
    "deb.debian." + "org",
    "crates." + "io",
    "proxy.golang." + "org",
]
"""Written in two parts, so that this file does not name them either."""


def test_no_file_names_a_registry() -> None:
    named = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content[:8000]:
            named += [(path.relative_to(ROOT), host) for host in REGISTRIES if host.encode() in content]
    assert not named


def test_every_module_of_the_command_line_is_importable() -> None:
    for module in set(app.cli.PLACES.values()):
        importlib.import_module(module)
