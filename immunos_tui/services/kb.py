"""KB: the shipped pages and the operator's own, which take the place of a shipped page of the same name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from immunos_tui.model.errors import DataError, NotFoundError
from immunos_tui.model.text import clean, clean_block
from immunos_tui.resources import resource

PAGE_LIMIT = 1_000_000
"""Bytes of a page that are read; a longer one is cut, and says so."""


@dataclass(frozen=True)
class Page:
    """One page; ``order`` sorts the contents, ``own`` says that it is the operator's."""

    name: str
    title: str
    path: Path
    own: bool
    order: int = 100


class KnowledgeBase:
    """Pages as Markdown files, by name."""

    def __init__(self, own: Path) -> None:
        self._own = own

    def pages(self) -> Sequence[Page]:
        """Every page in reading order."""
        found: dict[str, Page] = {}
        for folder, own in ((resource("kb"), False), (self._own, True)):
            if folder.is_dir():
                for file in sorted(folder.glob("*.md")):
                    page = _page(file, own)
                    found[page.name] = page
        return sorted(found.values(), key=lambda page: (page.order, page.title.lower()))

    def text(self, name: str) -> str:
        """The Markdown of a page, cleaned.

        Raises:
            NotFoundError: there is no such page.
            DataError: it cannot be read.
        """
        for page in self.pages():
            if page.name == name:
                return _read(page.path)
        raise NotFoundError(f"There is no page {clean(name, 60)}.", "`immunos-tui kb list` shows those that there are.")


def _page(file: Path, own: bool) -> Page:
    match = re.match(r"(?:(\d+)-)?(.+)$", file.stem)
    order, name = (int(match[1] or 100), match[2]) if match else (100, file.stem)
    try:
        with file.open(encoding="utf-8", errors="backslashreplace") as handle:
            first = handle.readline(500)
    except OSError:
        first = ""
    title = first.lstrip("# ").strip() if first.startswith("#") else name.replace("-", " ").capitalize()
    return Page(clean(name, 80), clean(title, 120), file, own, order)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(PAGE_LIMIT + 1)
    except OSError as error:
        raise DataError(f"Cannot read the page {clean(path)}: {error.strerror}.", "Check its permissions.") from error
    text = clean_block(raw[:PAGE_LIMIT].decode("utf-8", "backslashreplace"))
    return text + ("\n\n*The page is longer than 1 MB and is cut here.*\n" if len(raw) > PAGE_LIMIT else "")
