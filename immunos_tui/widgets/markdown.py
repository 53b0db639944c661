"""Markdown as styled lines for a virtual view: a page of any length costs the event loop nothing."""

from __future__ import annotations

from rich.console import Console
from rich.style import Style
from rich.text import Text
from rich.theme import Theme

from immunos_tui.model.text import clean
from immunos_tui.widgets.palette import Palette

RENDER_LIMIT = 60_000
"""Characters up to which a page is rendered; a longer one is shown as its source."""


def markdown_lines(source: str, width: int, palette: Palette) -> list[Text]:
    """The lines of a page at ``width`` cells. Slow for long pages: call it off the event loop."""
    if len(source) > RENDER_LIMIT:
        return [
            Text("This page is too long to be rendered; here is its source.", style=palette.high),
            *map(Text, source.split("\n")),
        ]
    from rich.markdown import Markdown  # noqa: PLC0415 - imports markdown-it, 45 ms

    console = Console(
        width=width,
        theme=_theme(palette),
        legacy_windows=False,
        color_system="truecolor",
        force_terminal=True,
        file=None,
    )
    page = Markdown(source, code_theme="ansi_dark", hyperlinks=False, inline_code_theme="ansi_dark")
    rendered = console.render_lines(page, console.options.update(width=width), pad=False)
    # Cleaned once more: an entity such as &#x202e; has become its character only now.
    return [Text.assemble(*((clean(segment.text), segment.style or Style()) for segment in line)) for line in rendered]


def _theme(palette: Palette) -> Theme:
    return Theme(
        {
            "markdown.h1": palette.title,
            "markdown.h1.border": palette.rule,
            "markdown.h2": palette.title,
            "markdown.h3": palette.strong,
            "markdown.h4": palette.strong,
            "markdown.code": palette.accent,
            "markdown.code_block": palette.text,
            "markdown.item.bullet": palette.accent,
            "markdown.item.number": palette.accent,
            "markdown.block_quote": palette.muted,
            "markdown.hr": palette.rule,
            "markdown.table.header": palette.strong,
            "markdown.table.border": palette.rule,
            "markdown.link": palette.accent,
            "markdown.link_url": palette.muted,
        }
    )
