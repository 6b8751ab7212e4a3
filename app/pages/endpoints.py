"""/docs and /problems: no script, style or font comes from elsewhere."""

from __future__ import annotations

import html
import re
from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, Response
from fastapi.staticfiles import StaticFiles

from app.foundation.problems import NotFound, all_problems

router = APIRouter(include_in_schema=False)
HERE = Path(__file__).parent / "static"
SWAGGER = Path(fastapi_offline.__file__).parent / "static"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def _page(title: str, body: str, *, scripts: str = "") -> Response:
    return Response(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="icon" href="/static/rujukan.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/rujukan.css">
{scripts}
</head>
<body>{body}</body>
</html>
""",
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": _POLICY, "X-Frame-Options": "DENY"},
    )


def _prose(text: str) -> str:
    """Return a paragraph as HTML; what stands in backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def static_files() -> dict[str, StaticFiles]:
    """Return the folders to mount, by path."""
    return {"/static/swagger": StaticFiles(directory=SWAGGER), "/static": StaticFiles(directory=HERE)}


@router.get("/docs")
async def docs() -> Response:
    """Show the API's documentation, made from /openapi.json."""
    return _page(
        "Rujukan: documentation of the API",
        '<div id="swagger-ui"></div><noscript><p>The document itself is at <a href="/openapi.json">/openapi.json</a>.</p></noscript>',
        scripts=(
            '<link rel="stylesheet" href="/static/swagger/swagger-ui.css">'
            '<script src="/static/swagger/swagger-ui-bundle.js" defer></script><script src="/static/docs.js" defer></script>'
        ),
    )


@router.get("/problems")
async def problems() -> Response:
    """List every problem type."""
    rows = "".join(
        f'<tr><td><a href="/problems/{problem.type}"><code>{problem.type}</code></a></td><td>{problem.status}</td>'
        f'<td>{html.escape(problem.title)}</td><td lang="id">{html.escape(problem.title_id)}</td></tr>'
        for problem in all_problems()
    )
    head = '<thead><tr><th>Type</th><th>Status</th><th>Title</th><th lang="id">Judul</th></tr></thead>'
    return _page("Rujukan: problems", f"<main><h1>Problems</h1><table>{head}<tbody>{rows}</tbody></table></main>")


@router.get("/problems/{name}")
async def problem(name: str) -> Response:
    """Explain one problem type and what to do."""
    found = next((each for each in all_problems() if each.type == name), None)
    if found is None:
        raise NotFound
    paragraphs = "".join(f"<p>{_prose(part)}</p>" for part in found.page().split("\n\n"))
    return _page(
        f"Rujukan: {found.title}",
        f"<main><h1>{html.escape(found.title)}</h1><p lang='id'>{html.escape(found.title_id)}</p>"
        f"<p><code>{found.type}</code>, HTTP {found.status}</p>{paragraphs}<p><a href='/problems'>All problems</a></p></main>",
    )
