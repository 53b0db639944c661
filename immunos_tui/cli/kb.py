"""``kb``: the knowledge base as text."""

from __future__ import annotations

import click

from immunos_tui.cli.options import group, json_option, pass_setup
from immunos_tui.cli.output import Column, emit, emit_items, out, say, table
from immunos_tui.cli.setup import Setup
from immunos_tui.services.kb import KnowledgeBase


@group("kb", "Read the knowledge base: the shipped pages and your own.")
def command() -> None:
    pass


@command.command("list")
@json_option
@pass_setup
def list_(setup: Setup, /, as_json: bool) -> None:
    """List the pages in reading order."""
    pages = KnowledgeBase(setup.paths.kb).pages()
    if as_json:
        emit_items({"name": page.name, "title": page.title, "path": str(page.path), "own": page.own} for page in pages)
    elif not pages:
        say("There are no pages.")
    else:
        columns = (Column("NAME"), Column("FROM"), Column("TITLE", flexible=True))
        table(columns, ((page.name, "you" if page.own else "shipped", page.title) for page in pages))


@command.command()
@click.argument("name")
@json_option
@pass_setup
def show(setup: Setup, /, name: str, as_json: bool) -> None:
    """Print a page as Markdown."""
    text = KnowledgeBase(setup.paths.kb).text(name)
    if as_json:
        emit({"name": name, "text": text})
    else:
        out(text.rstrip("\n"))
