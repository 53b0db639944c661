"""``issue``: every step by command, its exit codes, and what scripts read."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Done
from tests.houses import detected_issue

Cli = Callable[..., Done]


def made(cli: Cli, *titles: str) -> list[str]:
    return [cli("issue", "new", title).out.strip() for title in titles]


def shown(cli: Cli, number: object) -> dict[str, Any]:
    done = cli("issue", "show", number, "--json")
    assert done.code == 0, done.err
    body: dict[str, Any] = json.loads(done.out)
    return body


def test_new_prints_its_number(cli: Cli) -> None:
    assert made(cli, "first", "second") == ["1", "2"]


def test_new_with_every_field(cli: Cli) -> None:
    done = cli(
        "issue", "new", "  Odd   logins ", "--body", "at night", "--priority", "HIGH", "--owner", "me", "--tag", "ssh",
        "--tag", "night", "--project", "perimeter", "--due", "2030-01-02", "--domain", "logs", "--json",
    )  # fmt: skip
    issue = json.loads(done.out)
    assert done.code == 0
    assert issue["schema_version"] == 1
    assert issue["title"] == "Odd logins"
    assert (issue["body"], issue["priority"], issue["status"]) == ("at night", "high", "in_progress")
    assert issue["tags"] == ["ssh", "night"]
    assert (issue["project"], issue["due"], issue["domain"]) == ("perimeter", "2030-01-02", "logs")
    assert issue["owner"]


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        ((" ",), "title"),
        (("x", "--priority", "urgent"), "critical, high, medium, low"),
        (("x", "--due", "tomorrow"), "YYYY-MM-DD"),
        (("x" * 501,), "501 characters"),
        ((), "TITLE"),
        (("x", "--bdy", "y"), "--body"),
    ],
)
def test_new_refuses_and_makes_nothing(cli: Cli, words: tuple[str, ...], needle: str) -> None:
    done = cli("issue", "new", *words)
    assert done.code == 2
    assert needle in done.err
    assert done.err.startswith("immunos-tui: ")
    assert done.err.count("\n") == 1
    assert json.loads(cli("issue", "list", "--json").out)["items"] == []


def test_body_from_standard_input(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"line one\nline \xff two\n")))
    made(cli, "t")
    cli("issue", "edit", "1", "--body", "-")
    assert shown(cli, 1)["body"] == "line one\nline \\xff two"


# Looking --------------------------------------------------------------------------------------


def test_list_forms(cli: Cli) -> None:
    made(cli, "alpha", "beta", "gamma")
    cli("issue", "edit", "2", "--priority", "critical")
    body = json.loads(cli("issue", "list", "--json").out)
    assert body["schema_version"] == 1
    assert body["total"] == 3
    assert [item["id"] for item in body["items"]] == [2, 3, 1]
    lines = cli("issue", "list", "--jsonl", "--sort", "id", "--reverse").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [1, 2, 3]
    assert len(json.loads(cli("issue", "list", "--json", "--limit", "1").out)["items"]) == 1
    assert json.loads(cli("issue", "list", "--json", "--limit", "0").out)["items"] == []
    found = cli("issue", "list", "--query", "prio:>=high").out
    assert "beta" in found
    assert "alpha" not in found


def test_list_table_is_aligned(cli: Cli) -> None:
    made(cli, "short", "日本語のログ", "a much longer title than the others")
    lines = cli("issue", "list").out.splitlines()
    assert lines[0].split() == ["ID", "PRIORITY", "STATUS", "SEEN", "COUNT", "OWNER", "DOMAIN", "TITLE"]
    column = lines[0].index("TITLE")
    assert {line[column - 2 : column] for line in lines} == {"  "}
    assert all(line == line.rstrip() for line in lines)


def test_list_of_nothing_says_so_on_standard_error(cli: Cli) -> None:
    assert cli("issue", "list") == Done(0, "", "There are no issues.\n")
    made(cli, "one")
    assert cli("issue", "list", "-q", "zzz") == Done(0, "", "No issue matches.\n")


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        (("--query", "prio:urgnt"), "critical, high"),
        (("--query", "statis:new"), "Did you mean status:?"),
        (("--sort", "foo"), "urgency"),
        (("--limit", "-1"), "--limit"),
        (("--jsno",), "--json"),
    ],
)
def test_list_refuses(cli: Cli, words: tuple[str, ...], needle: str) -> None:
    done = cli("issue", "list", *words)
    assert done.code == 2
    assert needle in done.err
    assert done.out == ""


def test_show_has_all_that_is_known(cli: Cli, house: Any) -> None:
    number = detected_issue(house, rows=3)
    cli("issue", "comment", number, "seen on host 3")
    body = shown(cli, f"#{number}")
    assert body["schema_version"] == 1
    assert body["count"] == 3
    assert len(body["evidence"]) == 3
    assert body["evidence"][0]["explanation"]["sentence"] == "serror_rate is far above self"
    assert body["comments"][0]["body"] == "seen on host 3"
    assert [item["action"] for item in body["activity"]] == ["issue.comment", "issue.detected"]
    text = cli("issue", "show", number).out
    for needle in (
        "serror_rate is far above self",
        "seen on host 3",
        "issue.detected",
        "99 %: below 0.05",
        "version 1",
    ):
        assert needle in text


def test_show_of_nothing(cli: Cli) -> None:
    done = cli("issue", "show", "7")
    assert done.code == 5
    assert "#7" in done.err
    assert cli("issue", "show", "seven").code == 2


# Steps ----------------------------------------------------------------------------------------


def test_a_whole_life(cli: Cli) -> None:
    made(cli, "a", "b")
    assert cli("issue", "ack", "1", "#2").code == 0
    assert {shown(cli, n)["status"] for n in (1, 2)} == {"acknowledged"}
    assert cli("issue", "assign", "1", "2", "alice").code == 0
    assert {shown(cli, n)["owner"] for n in (1, 2)} == {"alice"}
    assert cli("issue", "assign", "1", "nobody").code == 0
    assert shown(cli, 1)["owner"] is None
    assert cli("issue", "assign", "1", "--owner", "42").code == 0
    assert shown(cli, 1)["owner"] == "42"
    assert cli("issue", "edit", "1", "2", "--priority", "low", "--tag", "x", "--tag", "y", "--title", "c").code == 0
    assert shown(cli, 2)["tags"] == ["x", "y"]
    assert cli("issue", "edit", "2", "--clear", "tags", "--clear", "body").code == 0
    assert shown(cli, 2)["tags"] == []
    assert cli("issue", "comment", "1", "2", "two words").code == 0
    assert shown(cli, 1)["comments"][0]["body"] == "two words"
    assert cli("issue", "verdict", "1", "threat", "--why", "known").code == 0
    assert (shown(cli, 1)["verdict"], shown(cli, 1)["status"]) == ("threat", "in_progress")
    assert cli("issue", "verdict", "2", "duplicate", "--of", "#1").code == 0
    assert (shown(cli, 2)["duplicate_of"], shown(cli, 2)["status"]) == (1, "resolved")
    assert cli("issue", "resolve", "1").code == 0
    assert cli("issue", "reopen", "1", "2").code == 0
    assert shown(cli, 2)["verdict"] is None
    assert cli("audit", "verify").code == 0


def test_step_as_json(cli: Cli) -> None:
    made(cli, "a")
    body = json.loads(cli("issue", "ack", "1", "--json").out)
    assert body["schema_version"] == 1
    assert body["items"][0]["status"] == "acknowledged"
    again = cli("issue", "assign", "1", "bob", "--json")
    assert json.loads(again.out)["skipped"] == {}
    nothing = json.loads(cli("issue", "assign", "1", "bob", "--json").out)
    assert nothing["items"] == []
    assert nothing["skipped"] == {"1": "#1 is so already."}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("ack", "1", "9"), 5),
        (("ack", "1", "2"), 4),
        (("resolve", "2", "1", "9"), 5),
        (("verdict", "1", "2", "maybe"), 2),
        (("verdict", "1", "duplicate"), 2),
        (("verdict", "1", "duplicate", "--of", "1"), 2),
        (("verdict", "1", "duplicate", "--of", "9"), 5),
        (("verdict", "1"), 2),
        (("comment", "1", "9", "text"), 5),
        (("comment", "1", " "), 2),
        (("comment", "1"), 2),
        (("comment", "1", "two", "words"), 2),
        (("assign", "1"), 2),
        (("assign", "one", "bob"), 2),
        (("assign", "1", "x" * 101), 2),
        (("edit", "1"), 2),
        (("edit", "1", "--body", "x", "--clear", "body"), 2),
        (("edit", "1", "--priority", "huge"), 2),
        (("reopen", "1"), 4),
    ],
)
def test_a_step_that_does_not_fit_changes_nothing(cli: Cli, words: tuple[str, ...], code: int) -> None:
    made(cli, "a", "b")
    cli("issue", "ack", "2")
    before = [shown(cli, n) for n in (1, 2)]
    done = cli("issue", *words)
    assert done.code == code
    assert done.err.startswith("immunos-tui: ")
    assert done.out == ""
    assert [shown(cli, n) for n in (1, 2)] == before


def test_what_detections_made_needs_a_verdict(cli: Cli, house: Any) -> None:
    number = detected_issue(house)
    done = cli("issue", "resolve", number)
    assert done.code == 2
    assert f"issue verdict {number}" in done.err
    assert cli("issue", "verdict", number, "false-positive").code == 0
    assert shown(cli, number)["status"] == "resolved"


def test_undo_and_redo(cli: Cli) -> None:
    made(cli, "a", "b")
    cli("issue", "ack", "1", "2")
    cli("issue", "assign", "1", "bob")
    done = cli("issue", "undo")
    assert done == Done(0, "Undone: assigning #1.\n", "")
    assert shown(cli, 1)["status"] == "acknowledged"
    assert cli("issue", "undo").out == "Undone: acknowledging #1, #2.\n"
    assert cli("issue", "redo").out == "Redone: acknowledging #1, #2.\n"
    assert json.loads(cli("issue", "redo", "--json").out)["message"] == "Redone: assigning #1."
    assert cli("issue", "redo").code == 5


def test_undo_of_a_named_activity(cli: Cli) -> None:
    made(cli, "a")
    cli("issue", "edit", "1", "--priority", "low")
    cli("issue", "edit", "1", "--title", "z")
    activity = next(item["seq"] for item in shown(cli, 1)["activity"] if "priority" in item["payload"]["set"])
    assert cli("issue", "undo", activity).code == 0
    assert (shown(cli, 1)["priority"], shown(cli, 1)["title"]) == ("medium", "z")
    assert cli("issue", "undo", activity).code == 4
    assert cli("issue", "undo", "999").code == 5
    assert cli("issue", "undo", "x").code == 2


def test_undo_names_the_later_change_that_is_in_its_way(cli: Cli) -> None:
    made(cli, "a")
    cli("issue", "edit", "1", "--priority", "low")
    cli("issue", "edit", "1", "--priority", "high")
    first = sorted(item["seq"] for item in shown(cli, 1)["activity"])[1]
    done = cli("issue", "undo", first)
    assert done.code == 4
    assert f"activity {first + 1}" in done.err
    assert shown(cli, 1)["priority"] == "high"


def test_undo_of_new_withdraws(cli: Cli) -> None:
    assert cli("issue", "undo").code == 5
    made(cli, "a")
    assert cli("issue", "undo").code == 0
    assert cli("issue", "show", "1").code == 5
    assert cli("issue", "redo").code == 0
    assert shown(cli, 1)["title"] == "a"


def test_read_only_refuses_every_step(cli: Cli) -> None:
    made(cli, "a")
    done = cli("--read-only", "issue", "ack", "1")
    assert done.code == 4
    assert "read-only" in done.err
    assert cli("--read-only", "issue", "list").code == 0
    assert shown(cli, 1)["status"] == "new"


# Hostile text ---------------------------------------------------------------------------------


HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold]\u202egnp.exe\u200b \x9b31m \r\n --oops"


def test_hostile_text_is_shown_as_harmless_text(cli: Cli) -> None:
    cli("issue", "new", HOSTILE, "--body", HOSTILE, "--owner", HOSTILE[:60], "--tag", HOSTILE, "--domain", HOSTILE[:60])
    cli("issue", "comment", "1", HOSTILE)
    for words in (("list",), ("show", "1"), ("verdict", "1", "benign", "--why", HOSTILE), ("undo",)):
        done = cli("issue", *words)
        assert done.code == 0
        for text in (done.out, done.err):
            assert not [c for c in text if c != "\n" and (c < " " or "\x7f" <= c <= "\x9f" or c in "\u202e\u200b")]
    assert "\\x1b[2J" in cli("issue", "list").out
    assert "[bold]" in cli("issue", "list").out
    raw = cli("issue", "show", "1", "--json").out
    assert raw.isascii()
    assert raw.rstrip("\n").isprintable()
    assert json.loads(raw)["body"] == HOSTILE


def test_hostile_arguments_are_shown_as_harmless_text(cli: Cli) -> None:
    for words in (
        ("issue", "show", "\x1b[2J"),
        ("issue", "\x1b[2J"),
        ("\x1b[2J",),
        ("issue", "list", "-q", "a:\x1b[2J"),
    ):
        done = cli(*words)
        assert done.code == 2
        assert "\x1b" not in done.err
