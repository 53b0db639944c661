"""kill -9 at random moments of triage: what had been confirmed is there, and everything is whole."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Done
from tests.torture.killing import ROUNDS, kill_within, require_sound, start, wait_for

Cli = Callable[..., Done]

pytestmark = pytest.mark.torture


def lines_of(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def confirmed(log: Path) -> int:
    return sum("done" in line for line in lines_of(log))


class Expectation:
    """What a log says must be there; what was begun and not confirmed may be there or not."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.titles: dict[int, str] = {}
        self.fields: dict[tuple[int, str], set[Any]] = {}
        self.comments: dict[tuple[int, str], set[bool]] = {}
        for line in lines:
            sure = "done" in line
            kind = line.get("done") or line["do"]
            if kind == "new" and sure:
                self.titles[line["id"]] = line["token"]
            elif kind == "set":
                self._settle(self.fields, (line["id"], line["field"]), line["value"], sure)
            elif kind in ("comment", "uncomment"):
                self._settle(self.comments, (line["id"], line["token"]), kind == "comment", sure)

    @staticmethod
    def _settle(known: dict[Any, set[Any]], key: Any, value: Any, sure: bool) -> None:
        """A confirmed value is the only one; one that was only begun is possible beside what was before."""
        if sure:
            known[key] = {value}
        else:
            known.setdefault(key, {None, False}).add(value)

    def require(self, cli: Cli) -> None:
        issues = {item["id"]: item for item in json.loads(cli("issue", "list", "--json").out)["items"]}
        for number, title in self.titles.items():
            assert issues[number]["title"] == title
        for (number, field), values in self.fields.items():
            if values != {None, False} | values:
                assert issues[number][field] in values, (number, field)
        texts: dict[int, set[str]] = {}
        for (number, token), there in self.comments.items():
            if number not in texts:
                shown = json.loads(cli("issue", "show", number, "--json").out)
                texts[number] = {comment["body"] for comment in shown["comments"]}
            if len(there) == 1:
                assert (token in texts[number]) is next(iter(there)), (number, token)


def test_killed_triage_keeps_what_was_confirmed(cli: Cli, tmp_path: Path) -> None:
    dice = random.Random(20260401)
    log, output = tmp_path / "confirmed.jsonl", tmp_path / "output.txt"
    for round_ in range(ROUNDS):
        before = confirmed(log)
        child = start(["-m", "tests.torture.operator", str(log), str(round_)], output)
        assert wait_for(lambda now=before: confirmed(log) > now, child), output.read_text(encoding="utf-8")
        assert kill_within(child, 0.25, dice), output.read_text(encoding="utf-8")
        require_sound(cli)
        Expectation(lines_of(log)).require(cli)
    assert confirmed(log) > ROUNDS


def test_killed_first_start_leaves_nothing_half_made(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(4)
    output = tmp_path / "output.txt"
    for round_ in range(max(5, ROUNDS // 4)):
        base = tmp_path / f"base-{round_}"
        monkeypatch.setenv("IMMUNOS_BASE_PATH", str(base))
        child = start(["-m", "immunos_tui", "issue", "new", "first"], output)
        wait_for((base / ".immunos").exists, child)
        kill_within(child, 0.1, dice)
        made = cli("issue", "new", "second")
        assert made.code == 0, made.err
        require_sound(cli)
        titles = {item["title"] for item in json.loads(cli("issue", "list", "--json").out)["items"]}
        assert "second" in titles <= {"first", "second"}
