"""Detections: one finding each, and the fingerprint that folds them into issues."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

FINGERPRINT_VERSION = 1


class Result(StrEnum):
    SELF = "self"
    UNCERTAIN = "uncertain"
    NON_SELF = "non_self"
    DANGER = "danger"

    @property
    def makes_issue(self) -> bool:
        return self in (Result.NON_SELF, Result.DANGER)


@dataclass(frozen=True)
class Detection:
    """One row that does not belong.

    ``score`` is a surprisal in nats, ``p_value`` conformal, ``confidence`` 0 to 1, ``row`` counts
    from 0 in the source; ``explanation`` and ``sample`` are kept for the first few of an issue.
    """

    row: int
    result: Result
    score: float
    p_value: float
    confidence: float
    fingerprint: str
    title: str = ""
    priority: str = "medium"
    explanation: dict[str, Any] | None = None
    sample: str | None = None


@dataclass(frozen=True)
class Evidence:
    """A kept detection as the detail of an issue shows it."""

    id: int
    row: int
    result: Result
    score: float
    p_value: float
    confidence: float
    at: int
    source: str
    agent: str
    version: int
    sample: str | None
    dataset: str = ""
    """The path of what the version was trained on, which the explanation's nearest row is of."""
    explanation: dict[str, Any] = field(default_factory=dict)


def table_fingerprint(domain: str, agent: str, feature: str, direction: str) -> str:
    """Of a table row: domain, agent name (not version), leading feature and its direction."""
    return _digest("row", domain, agent, feature, direction)


def line_fingerprint(agent: str, path: str, normalised: str) -> str:
    """Of a line or code: agent or rule, path, normalised content; never a line number."""
    return _digest("line", agent, path, normalised)


def _digest(*parts: str) -> str:
    body = "\x1f".join(part.replace("\x1f", " ") for part in parts)
    return f"{FINGERPRINT_VERSION}:{hashlib.sha256(body.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"
