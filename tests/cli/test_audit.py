"""``audit verify``: a changed, removed, cut or foreign row is named."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Done

Cli = Callable[..., Done]


@pytest.fixture
def database(cli: Cli, base: Path) -> Path:
    """A database with five recorded changes."""
    for title in ("one", "two", "three"):
        cli("issue", "new", title)
    cli("issue", "ack", "1", "2")
    return base / ".immunos" / "immunos-tui.db"


def tamper(database: Path, sql: str, *values: object) -> None:
    """Change the record as somebody with the file in hand would: without its triggers."""
    with closing(sqlite3.connect(database)) as db:
        db.execute("DROP TRIGGER activity_is_append_only_update")
        db.execute("DROP TRIGGER activity_is_append_only_delete")
        db.execute(sql, values)
        db.commit()


def test_whole(cli: Cli, database: Path) -> None:
    done = cli("audit", "verify")
    assert done.code == 0
    assert done.out.startswith("The record is whole: 5 rows, head ")
    body = json.loads(cli("audit", "verify", "--json").out)
    assert (body["schema_version"], body["rows"], body["broken"], body["whole"]) == (1, 5, None, True)


def test_empty_is_whole(cli: Cli) -> None:
    done = cli("audit", "verify")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("sql", "row", "reason"),
    [
        ("UPDATE activity SET payload = '{\"set\":{}}' WHERE seq = 4", 4, "does not match its hash"),
        ("UPDATE activity SET actor = 'somebody' WHERE seq = 2", 2, "does not match its hash"),
        ("UPDATE activity SET at = at + 1 WHERE seq = 1", 1, "does not match its hash"),
        ("UPDATE activity SET hash = '00' WHERE seq = 5", 5, "does not match its hash"),
        ("DELETE FROM activity WHERE seq = 3", 3, "row 3 is missing"),
        ("DELETE FROM activity WHERE seq = 5", 5, "row 5 had been written"),
        ("DELETE FROM activity", 1, "row 5 had been written"),
        ("UPDATE activity SET key_id = 'deadbeef' WHERE seq = 2", 2, "signed with key deadbeef"),
    ],
)
def test_the_first_broken_row_is_named(cli: Cli, database: Path, sql: str, row: int, reason: str) -> None:
    tamper(database, sql)
    done = cli("audit", "verify")
    assert done.code == 1
    assert f"row {row}" in done.err
    assert reason in done.err
    assert done.out == ""
    body = json.loads(cli("audit", "verify", "--json").out)
    assert (body["whole"], body["broken"]) == (False, row)


def test_the_database_itself_refuses_changes_to_the_record(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db:
        for sql in ("UPDATE activity SET actor = 'x'", "DELETE FROM activity"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(sql)


def test_a_missing_head_is_noted(cli: Cli, database: Path, base: Path) -> None:
    (base / ".immunos" / "state" / "audit-head.json").unlink()
    done = cli("audit", "verify")
    assert done.code == 0
    assert "cut tail would not show" in done.err


def test_a_missing_key_shows(cli: Cli, database: Path, base: Path) -> None:
    (base / ".immunos" / "secret.key").unlink()
    done = cli("audit", "verify")
    assert done.code == 1
    assert "row 1" in done.err
    assert "signed with key" in done.err


@pytest.mark.parametrize(
    ("content", "mode", "needle"),
    [("", 0o600, "is empty"), ("abc\n", 0o644, "chmod 600"), (None, 0, "not a regular file")],
)
def test_a_key_file_that_cannot_be_trusted(
    cli: Cli, database: Path, base: Path, content: str | None, mode: int, needle: str
) -> None:
    key = base / ".immunos" / "secret.key"
    key.unlink()
    if content is None:
        key.symlink_to(base / "elsewhere.key")
        (base / "elsewhere.key").write_text("x\n", encoding="ascii")
    else:
        key.write_text(content, encoding="ascii")
        key.chmod(mode)
    for words in (("audit", "verify"), ("issue", "new", "x")):
        done = cli(*words)
        assert done.code == 1
        assert needle in done.err
        assert str(key) in done.err


def test_the_environments_key_is_taken_only_for_a_new_database(
    cli: Cli, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMMUNOS_SECRET_KEY", "first")
    cli("issue", "new", "x")
    assert (base / ".immunos" / "secret.key").read_text(encoding="ascii") == "first\n"
    monkeypatch.setenv("IMMUNOS_SECRET_KEY", "second")
    cli("issue", "new", "y")
    assert cli("audit", "verify").code == 0
    (base / ".immunos" / "secret.key").unlink()
    cli("issue", "new", "z")
    assert "second" not in (base / ".immunos" / "secret.key").read_text(encoding="ascii")
