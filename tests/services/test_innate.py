"""Agents of fixed rules: no training, findings folded like any other, faulty packs refused by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from immunos_tui.model.errors import ArtifactError, ConflictError, DataError, UsageError

LINES = (
    "Jan 1 10:00:01 host sshd[33]: Failed password for root from 10.0.0.9 port 22\n"
    "Jan 1 10:00:02 host sshd[34]: Failed password for root from 10.0.0.8 port 23\n"
    "Jan 1 10:00:03 host cron[9]: session opened\n"
    "Jan 1 10:00:04 host kernel: Out of memory: Kill process 77\n"
)
PACK = """
[pack]
name = "own"
[[rule]]
name = "door"
pattern = 'door open'
severity = "critical"
category = "site"
advice = "Close it."
"""


def test_log_rules_find_what_always_matters_and_fold_it(house: Any, tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.write_text(LINES)
    assert house.foundry.new("sys", "syslog").in_service == 1
    report = house.malt.scan("sys", log)
    assert (report.rows, report.recorded, len(report.issues_made)) == (4, 3, 2)
    issues = house.spleen.many(house.spleen.list("agent:sys").ids).values()
    counts = {issue.title.split(",")[0]: issue.count for issue in issues}
    assert counts == {"failed-password": 2, "out-of-memory": 1}
    again = house.malt.scan("sys", log)
    assert (again.recorded, again.issues_made) == (0, [])


def test_a_secret_is_found_and_never_shown(house: Any, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text('password = "hunter2secret99"\n')
    (tmp_path / "src" / "b.bin").write_bytes(b"\x00\x01" * 500)
    house.foundry.new("sec", "secrets")
    report = house.malt.scan("sec", tmp_path / "src")
    assert len(report.issues_made) == 1
    detail = house.spleen.detail(report.issues_made[0])
    told = str(detail)
    assert "hunter2secret99" not in told
    assert "password-assigned" in detail.issue.title


def test_own_packs_are_checked_and_pinned(house: Any, tmp_path: Path) -> None:
    pack, log = tmp_path / "own.toml", tmp_path / "site.log"
    pack.write_text(PACK.replace("critical", "sometimes"))
    with pytest.raises(DataError, match=r"[Ll]ine 7"):
        house.foundry.new("own", "syslog", pack=str(pack))
    assert house.foundry.list() == []
    pack.write_text(PACK)
    log.write_text("the door open alarm\n")
    house.foundry.new("own", "syslog", pack=str(pack))
    made = house.malt.scan("own", log).issues_made
    assert house.spleen.get(made[0]).priority == "critical"
    pack.write_text(PACK + "# changed\n")
    with pytest.raises(ArtifactError, match="was changed"):
        house.malt.scan("own", log)


def test_rules_are_neither_trained_nor_measured(house: Any, tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text(LINES)
    house.foundry.new("sys", "syslog")
    with pytest.raises(UsageError, match="needs no training"):
        house.thymus.add_training("sys", tmp_path / "x.log")
    with pytest.raises(ConflictError, match="not measured"):
        house.malt.evaluate("sys", tmp_path / "x.log", label="a", self_value="b")
