"""Foundry (bone marrow): templates, agents and their versions."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from immunos_tui.model.agent import INNATE, Agent, AgentState, AgentVersion, Template, VersionState, check_name
from immunos_tui.model.errors import ConflictError, NotFoundError, UsageError
from immunos_tui.model.text import nearest
from immunos_tui.resources import resource
from immunos_tui.store import Store, agents

FOLDER_PIPELINES = ("code", "rules")
"""Pipelines that take a folder as well as a file."""


def templates(folder: Path | None = None) -> list[Template]:
    """The templates that ship with the program, by name."""
    names = [part.name for part in fields(Template)]
    found = []
    for file in sorted((folder or resource("templates")).glob("*.toml")):
        body = tomllib.loads(file.read_text(encoding="utf-8"))
        found.append(Template(**{name: body[name] for name in names if name in body}))
    return found


def template(name: str) -> Template:
    """One template.

    Raises:
        UsageError: there is none of that name.
    """
    known = {item.name: item for item in templates()}
    if name not in known:
        near = nearest(name, known, 0.4)
        best = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(f"There is no template {name!r}.", f"{best}There are {', '.join(known)}.")
    return known[name]


@cache
def caveat(template_name: str) -> str:
    """What the results of a template's agents never mean; "" where nothing needs saying, or the template is gone."""
    return next((item.caveat for item in templates() if item.name == template_name), "")


def pack_path(name: str) -> Path:
    """The file of a rule pack: a shipped one by name, or a path."""
    return Path(name) if "/" in name else resource("rules") / f"{name}.toml"


def _check_pack(name: str) -> None:
    """Refuse a faulty pack before an agent is made of it, with the line of the fault."""
    from immunos_tui.immune.rules import load_pack  # noqa: PLC0415 - only for agents of rules

    load_pack(pack_path(name))


class Foundry:
    """Makes agents and puts their versions in service."""

    def __init__(self, store: Store, artifacts: Path) -> None:
        self._store = store
        self.artifacts = artifacts

    def new(self, name: str, template_name: str, **params: Any) -> Agent:
        """A new agent of a template; it stays a stub until its first training.

        Raises:
            UsageError: the name or template does not exist.
            ConflictError: there is an agent of that name.
        """
        check_name(name)
        made_of = template(template_name)
        if made_of.role == "innate":
            _check_pack(str(params.get("pack") or made_of.preset))
        with self._store.write() as tx:
            if agents.by_name(tx.db, name):
                raise ConflictError(f"There is an agent {name} already.", "Take another name.")
            values = {
                "name": name,
                "domain": made_of.domain,
                "role": made_of.role,
                "template": made_of.name,
                "pipeline": made_of.pipeline,
                "params": {"preset": made_of.preset, "template_version": made_of.version, **params},
                "created_at": tx.at,
                "updated_at": tx.at,
            }
            number = agents.insert(tx.db, values)
            tx.record("agent.new", "agent", number, {"name": name, "template": made_of.name})
        if made_of.role == "innate":
            self._add_rules(name, str(params.get("pack") or made_of.preset))
        return self.get(name)

    def _add_rules(self, name: str, pack: str) -> None:
        """Put a checked rule pack in service: such an agent needs no training."""
        from immunos_tui.immune.datafile import sha256_file  # noqa: PLC0415 - only for agents of rules
        from immunos_tui.immune.rules import load_pack  # noqa: PLC0415

        path = pack_path(pack)
        rules = load_pack(path)
        digest = sha256_file(path)
        self.add_version(
            name,
            {
                "artifact": pack,
                "sha256": digest,
                "preset": INNATE,
                "seed": 0,
                "dataset_path": str(path),
                "dataset_sha256": digest,
                "job_id": None,
                "metrics": {"grade": "fixed rules", "rules": len(rules.rules)},
            },
        )

    def list(self) -> Sequence[Agent]:
        with self._store.read() as db:
            return agents.all_agents(db)

    def get(self, name: str) -> Agent:
        with self._store.read() as db:
            return self._required(agents.by_name(db, name), name)

    def versions(self, name: str) -> Sequence[AgentVersion]:
        """Every version of an agent, newest first."""
        with self._store.read() as db:
            return agents.versions(db, self._required(agents.by_name(db, name), name).id)

    def latest(self) -> dict[str, AgentVersion]:
        """Of each agent the version in service, else its newest."""
        found = {}
        with self._store.read() as db:
            for agent in agents.all_agents(db):
                version = agents.in_service(db, agent.id) or next(iter(agents.versions(db, agent.id)), None)
                if version:
                    found[agent.name] = version
        return found

    def in_service(self, name: str) -> tuple[Agent, AgentVersion]:
        """The agent with the version that scans use.

        Raises:
            NotFoundError: there is no such agent.
            ConflictError: it has no version in service.
        """
        with self._store.read() as db:
            agent = self._required(agents.by_name(db, name), name)
            version = agents.in_service(db, agent.id)
        if version is None:
            hint = (
                f"Put one in service: `immunos-tui agent promote {name}`."
                if agent.versions
                else f"Train it first: `immunos-tui thymus add --agent {name} --dataset PATH`."
            )
            raise ConflictError(f"The agent {name} has no version in service.", hint)
        return agent, version

    def promote(self, name: str, number: int | None = None) -> AgentVersion:
        """Put a version in service, by default the newest."""
        with self._store.write() as tx:
            agent = self._required(agents.by_name(tx.db, name), name)
            every = agents.versions(tx.db, agent.id)
            if not every:
                raise ConflictError(
                    f"The agent {name} has not been trained.",
                    f"Train it: `immunos-tui thymus add --agent {name} --dataset PATH`.",
                )
            chosen = next((item for item in every if item.number == number), None) if number else every[0]
            if chosen is None:
                raise NotFoundError(
                    f"The agent {name} has no version {number}.", f"It has {', '.join(str(v.number) for v in every)}."
                )
            if chosen.state is VersionState.IN_SERVICE:
                raise ConflictError(f"Version {chosen.number} of {name} is in service already.")
            agents.put_in_service(tx.db, agent.id, chosen.number)
            agents.set_state(tx.db, agent.id, AgentState.ACTIVE, tx.at)
            tx.record(
                "agent.promote",
                "agent",
                agent.id,
                {"name": name, "set": {"in_service": [agent.in_service, chosen.number]}},
            )
            promoted = agents.version(tx.db, agent.id, chosen.number)
        assert promoted is not None  # noqa: S101 - written in the transaction above
        return promoted

    def add_version(self, name: str, fields: dict[str, Any]) -> AgentVersion:
        """Record a trained artifact; the first of an agent goes into service."""
        with self._store.write() as tx:
            agent = self._required(agents.by_name(tx.db, name), name)
            number = agents.next_number(tx.db, agent.id)
            first = agent.in_service is None
            agents.insert_version(
                tx.db,
                {
                    **fields,
                    "agent_id": agent.id,
                    "number": number,
                    "state": VersionState.CANDIDATE,
                    "created_at": tx.at,
                },
            )
            if first:
                agents.put_in_service(tx.db, agent.id, number)
            agents.set_state(
                tx.db,
                agent.id,
                AgentState.ACTIVE if first or agent.state is AgentState.ACTIVE else AgentState.TRAINED,
                tx.at,
            )
            tx.record(
                "agent.version",
                "agent",
                agent.id,
                {"name": name, "number": number, "sha256": fields["sha256"], "in_service": first},
            )
            made = agents.version(tx.db, agent.id, number)
        assert made is not None  # noqa: S101 - written in the transaction above
        return made

    def artifact_path(self, version: AgentVersion) -> Path:
        """Where the artifact lies, without its ending."""
        return self.artifacts / version.artifact

    @staticmethod
    def _required(agent: Agent | None, name: str) -> Agent:
        if agent is None:
            raise NotFoundError(f"There is no agent {name}.", "`immunos-tui agent list` shows those that there are.")
        return agent
