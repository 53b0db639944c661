"""Agents, their versions, and the templates that they are made from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from immunos_tui.model.errors import UsageError
from immunos_tui.model.text import clean

INNATE = "rules"
"""The preset of versions that are a rule pack."""

NOT_USABLE = "not usable"
"""The grade of a domain that cannot be judged with the data that there is."""

NAME_RULE = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class AgentState(StrEnum):
    STUB = "stub"
    TRAINED = "trained"
    ACTIVE = "active"
    RETIRED = "retired"


class VersionState(StrEnum):
    CANDIDATE = "candidate"
    IN_SERVICE = "in_service"
    RETIRED = "retired"


@dataclass(frozen=True)
class Template:
    """What a new agent starts from; read from ``data/templates``."""

    name: str
    version: int
    title: str
    domain: str
    role: str
    pipeline: str
    preset: str
    about: str
    caveat: str = ""
    """What its results never mean, shown wherever they are."""


@dataclass(frozen=True)
class Agent:
    """One detector. ``in_service`` is the number of the version that scans use, None before the first."""

    id: int
    name: str
    domain: str
    role: str
    template: str
    pipeline: str
    params: Mapping[str, Any]
    state: AgentState
    in_service: int | None
    versions: int
    created_at: int
    updated_at: int

    def as_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "params": dict(self.params)}


@dataclass(frozen=True)
class AgentVersion:
    """One trained artifact of an agent, with what was measured when it was made."""

    id: int
    agent_id: int
    number: int
    state: VersionState
    artifact: str
    sha256: str
    preset: str
    seed: int
    dataset_path: str
    dataset_sha256: str
    job_id: int | None
    created_at: int
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def grade(self) -> str:
        return str(self.metrics.get("grade") or "not measured")

    @property
    def is_innate(self) -> bool:
        """Whether it is fixed rules, which nothing was trained for."""
        return self.preset == INNATE

    @property
    def refusal(self) -> str:
        """Why this version gives no verdicts, only a ranking, or "" where it may."""
        if self.grade != NOT_USABLE:
            return ""
        low = (self.metrics.get("auroc_interval") or [None])[0]
        bound = f": its AUROC may be as low as {low:.2f}, and 0.60 is asked for" if low is not None else ""
        return f"version {self.number} is not usable{bound}. It gives no verdicts, only a ranking"

    def as_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "metrics": dict(self.metrics)}


def check_name(name: str) -> str:
    """The name, if it may be an agent's: it becomes a folder, and part of fingerprints.

    Raises:
        UsageError: it is not.
    """
    if not NAME_RULE.fullmatch(name):
        raise UsageError(
            f"{clean(name, 60)!r} cannot name an agent.",
            "Use 1 to 40 of a-z, 0-9, - and _, with a letter first, such as net-1.",
        )
    return name
