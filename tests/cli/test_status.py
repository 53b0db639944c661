"""``status``: the line, its exit codes, and that it makes and changes nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from immunos_tui.model.job import JobState
from immunos_tui.store import jobs
from tests.conftest import Done
from tests.houses import folding

Cli = Callable[..., Done]


def job(house: Any, state: JobState | None, kind: str = "train", agent: str = "net-1") -> int:
    """A job that ended in ``state``, or that waits."""
    with house.store.write() as tx:
        number = jobs.insert(tx.db, kind, agent, {"path": "/x"}, "me", tx.at)  # type: ignore[arg-type]
        if state is not None:
            jobs.finish(tx.db, number, state, tx.at)
    return number


def test_nothing_yet_makes_nothing(cli: Cli, base: Path) -> None:
    done = cli("status")
    assert done.code == 0
    assert done.out.startswith("OK nothing yet")
    assert not base.exists()
    assert json.loads(cli("status", "--json").out)["state"] == "ok"
    assert not base.exists()


@pytest.mark.parametrize(
    ("priority", "code", "word"), [("low", 0, "OK"), ("high", 1, "WARNING"), ("critical", 2, "CRITICAL")]
)
def test_level_follows_the_most_urgent_open_issue(cli: Cli, priority: str, code: int, word: str) -> None:
    cli("issue", "new", "x", "--priority", priority)
    done = cli("status")
    assert done.code == code
    assert done.out.startswith(f"{word} 1 open")
    body = json.loads(cli("status", "--json").out)
    assert (body["schema_version"], body["state"], body["exit_code"]) == (1, word.lower(), code)
    assert body[priority] == 1
    cli("issue", "resolve", "1")
    assert cli("status").code == 0


def test_tmux_form_is_short(cli: Cli) -> None:
    cli("issue", "new", "x", "--priority", "high")
    assert cli("status", "--tmux") == Done(1, "C0 H1 N1\n", "")


def test_a_failed_job_warns_until_it_is_repeated(cli: Cli, house: Any) -> None:
    number = job(house, JobState.FAILED)
    done = cli("status")
    assert done.code == 1
    assert f"job {number} failed" in done.out
    job(house, JobState.DONE, agent="other")
    assert cli("status").code == 1
    job(house, JobState.DONE)
    assert cli("status").code == 0
    assert json.loads(cli("status", "--json").out)["jobs"] == {"running": 0, "queued": 0, "troubled": []}


def test_a_job_whose_process_is_gone_counts_as_interrupted(cli: Cli, house: Any) -> None:
    number = job(house, None)
    with house.store.write() as tx:
        assert jobs.claim(tx.db, number, 999_999, tx.at)
    done = cli("status")
    assert done.code == 1
    assert f"job {number} interrupted" in done.out
    with house.store.read() as db:
        assert jobs.get(db, number).state is JobState.RUNNING


def test_last_scan(cli: Cli, house: Any) -> None:
    from immunos_tui.store import detections

    fold = folding(house)
    source = fold.open_source("a" * 64, "/data/flows.csv", 10)
    with house.store.write() as tx:
        detections.add_scan(tx.db, 1, source, tx.at, 22_544, {"self": 22_424, "non_self": 100, "danger": 20}, {})
    assert "flows.csv: 120 of 22,544 flagged" in cli("status").out


@pytest.mark.parametrize("damage", ["garbage", "future", "settings", "key of another"])
def test_unknown(cli: Cli, base: Path, damage: str) -> None:
    cli("issue", "new", "x")
    database = base / ".immunos" / "immunos-tui.db"
    if damage == "garbage":
        database.write_bytes(b"not a database at all" * 100)
    elif damage == "future":
        with closing(sqlite3.connect(database)) as db:
            db.execute("PRAGMA user_version = 9999")
    elif damage == "settings":
        (base / ".immunos" / "config.toml").write_text("profile = 3\n", encoding="utf-8")
    else:
        (base / ".immunos" / "secret.key").unlink()
        assert cli("status").code == 0
        assert not (base / ".immunos" / "secret.key").exists()
        return
    done = cli("status")
    assert done.code == 3
    assert done.out.startswith("UNKNOWN ")
    assert json.loads(cli("status", "--json").out)["state"] == "unknown"
    assert cli("status", "--tmux").out == "?\n"
