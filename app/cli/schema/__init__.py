"""`rujukan schema …`: the record's documents and code lists, and files of other standards in and out."""

from __future__ import annotations

import typer

from app.cli.schema import code_lists, documents, htcds

app = typer.Typer(no_args_is_help=True, help="The shared schema: documents, code lists, files of other standards.")
app.add_typer(code_lists.app)
app.add_typer(documents.app)
app.add_typer(htcds.app)
