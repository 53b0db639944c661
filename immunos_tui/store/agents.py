"""Agents and the versions of their artifacts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from immunos_tui.model.agent import Agent, AgentState, AgentVersion, VersionState

_AGENTS = (
    "SELECT a.*, (SELECT number FROM agent_versions v WHERE v.agent_id = a.id AND v.state = 'in_service') AS in_service,"
    " (SELECT count(*) FROM agent_versions v WHERE v.agent_id = a.id) AS versions FROM agents a"
)


def _agent(row: sqlite3.Row) -> Agent:
    return Agent(**{**dict(row), "params": json.loads(row["params"]), "state": AgentState(row["state"])})


def _version(row: sqlite3.Row) -> AgentVersion:
    return AgentVersion(**{**dict(row), "metrics": json.loads(row["metrics"]), "state": VersionState(row["state"])})


def all_agents(db: sqlite3.Connection) -> list[Agent]:
    return [_agent(row) for row in db.execute(f"{_AGENTS} ORDER BY a.name")]


def by_name(db: sqlite3.Connection, name: str) -> Agent | None:
    row = db.execute(f"{_AGENTS} WHERE a.name = ?", (name,)).fetchone()
    return _agent(row) if row else None


def insert(db: sqlite3.Connection, fields: Mapping[str, Any]) -> int:
    names = "name domain role template pipeline params created_at updated_at".split()
    values = [json.dumps(fields[name]) if name == "params" else fields[name] for name in names]
    done = db.execute(
        "INSERT INTO agents (name, domain, role, template, pipeline, params, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    return int(done.lastrowid or 0)


def set_state(db: sqlite3.Connection, agent_id: int, state: AgentState, now: int) -> None:
    db.execute("UPDATE agents SET state = ?, updated_at = ? WHERE id = ?", (state, now, agent_id))


def versions(db: sqlite3.Connection, agent_id: int) -> list[AgentVersion]:
    """Every version, newest first."""
    return [
        _version(row)
        for row in db.execute("SELECT * FROM agent_versions WHERE agent_id = ? ORDER BY number DESC", (agent_id,))
    ]


def version(db: sqlite3.Connection, agent_id: int, number: int) -> AgentVersion | None:
    row = db.execute("SELECT * FROM agent_versions WHERE agent_id = ? AND number = ?", (agent_id, number)).fetchone()
    return _version(row) if row else None


def in_service(db: sqlite3.Connection, agent_id: int) -> AgentVersion | None:
    row = db.execute("SELECT * FROM agent_versions WHERE agent_id = ? AND state = 'in_service'", (agent_id,)).fetchone()
    return _version(row) if row else None


def next_number(db: sqlite3.Connection, agent_id: int) -> int:
    row = db.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM agent_versions WHERE agent_id = ?", (agent_id,)
    ).fetchone()
    return int(row[0])


def insert_version(db: sqlite3.Connection, version: Mapping[str, Any]) -> int:
    names = "agent_id number state artifact sha256 preset seed dataset_path dataset_sha256 job_id metrics created_at".split()
    values = [json.dumps(version[name]) if name == "metrics" else version[name] for name in names]
    marks = ",".join("?" * len(names))
    done = db.execute(f"INSERT INTO agent_versions ({','.join(names)}) VALUES ({marks})", values)  # noqa: S608 - own names
    return int(done.lastrowid or 0)


def put_in_service(db: sqlite3.Connection, agent_id: int, number: int) -> None:
    """Make one version the one that scans use; the one before it becomes a candidate again."""
    db.execute("UPDATE agent_versions SET state = 'candidate' WHERE agent_id = ? AND state = 'in_service'", (agent_id,))
    db.execute("UPDATE agent_versions SET state = 'in_service' WHERE agent_id = ? AND number = ?", (agent_id, number))
