"""``kb``: shipped pages and the operator's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Done

Cli = Callable[..., Done]


def test_own_pages_stand_beside_and_above_the_shipped(cli: Cli, base: Path) -> None:
    folder = base / ".immunos" / "kb"
    folder.mkdir(parents=True)
    (folder / "05-our-network.md").write_text("# Our \x1b[2J network\n\nThree hosts.\n", encoding="utf-8")
    items = json.loads(cli("kb", "list", "--json").out)["items"]
    own = next(item for item in items if item["own"])
    assert (own["name"], own["title"]) == ("our-network", "Our \\x1b[2J network")
    assert "our-network" in cli("kb", "list").out
    text = cli("kb", "show", "our-network").out
    assert text == "# Our \\x1b[2J network\n\nThree hosts.\n"
    assert json.loads(cli("kb", "show", "our-network", "--json").out)["name"] == "our-network"


def test_a_page_that_is_not_there(cli: Cli) -> None:
    done = cli("kb", "show", "nothing\x1b")
    assert done.code == 5
    assert "kb list" in done.err
    assert "\x1b" not in done.err
