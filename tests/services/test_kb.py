"""The knowledge base: shipped pages, the operator's own above them, and pages that are not well."""

from __future__ import annotations

from pathlib import Path

import pytest

from immunos_tui.model.errors import NotFoundError
from immunos_tui.services.kb import PAGE_LIMIT, KnowledgeBase


@pytest.fixture
def kb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnowledgeBase:
    """One shipped page, and an empty folder for the operator's."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "10-keys.md").write_text("# Keys\n\nshipped\n", encoding="utf-8")
    monkeypatch.setattr("immunos_tui.services.kb.resource", lambda _name: shipped)
    (tmp_path / "own").mkdir()
    return KnowledgeBase(tmp_path / "own")


def test_an_own_page_takes_the_place_of_a_shipped_one(kb: KnowledgeBase, tmp_path: Path) -> None:
    assert [(page.name, page.own) for page in kb.pages()] == [("keys", False)]
    (tmp_path / "own" / "keys.md").write_text("no heading\n", encoding="utf-8")
    (tmp_path / "own" / "05-first.md").write_text("# A first page\n", encoding="utf-8")
    assert [(page.name, page.title, page.own) for page in kb.pages()] == [
        ("first", "A first page", True),
        ("keys", "Keys", True),
    ]
    assert kb.text("keys") == "no heading\n"
    with pytest.raises(NotFoundError):
        kb.text("none")


def test_pages_that_are_not_well_are_shown_as_they_are(kb: KnowledgeBase, tmp_path: Path) -> None:
    (tmp_path / "own" / "binary.md").write_bytes(b"# \x1b[2J\xff\n" + bytes(range(32)))
    (tmp_path / "own" / "large.md").write_bytes(b"x" * (PAGE_LIMIT + 10))
    (tmp_path / "own" / "empty.md").touch()
    assert len(kb.pages()) == 4
    assert "\x1b" not in kb.text("binary")
    assert kb.text("large").endswith("is cut here.*\n")
    assert kb.text("empty") == ""
