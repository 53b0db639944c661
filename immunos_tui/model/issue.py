"""Issues and verdicts: what an operator works through, and which step may follow which."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from immunos_tui.model.errors import ConflictError, UsageError


class Status(StrEnum):
    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"


class Priority(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """3 for critical down to 0 for low, so that a higher number is more urgent."""
        return 3 - list(Priority).index(self)

    def step(self, by: int) -> Priority:
        """The priority ``by`` steps more urgent, ending at critical and low."""
        return list(Priority)[min(3, max(0, list(Priority).index(self) - by))]


class VerdictKind(StrEnum):
    THREAT = "threat"
    FALSE_POSITIVE = "false_positive"
    BENIGN = "benign"
    DUPLICATE = "duplicate"

    @property
    def resolves(self) -> bool:
        """Whether giving it ends the issue; a threat stays open until somebody says that it is dealt with."""
        return self is not VerdictKind.THREAT


STATUS_LETTER = {Status.NEW: "new", Status.ACKNOWLEDGED: "ack", Status.IN_PROGRESS: "work", Status.RESOLVED: "done"}
"""The short word of each status in a narrow list."""


@dataclass(frozen=True)
class Issue:
    """One ticket. Times are milliseconds since 1970 in UTC; ``count`` is its detections."""

    id: int
    title: str
    body: str
    status: Status
    priority: Priority
    owner: str | None
    project: str | None
    tags: tuple[str, ...]
    due: str | None
    domain: str | None
    agent: str | None
    fingerprint: str | None
    count: int
    first_seen: int
    last_seen: int
    verdict: VerdictKind | None
    verdict_by: str | None
    verdict_at: int | None
    verdict_why: str | None
    duplicate_of: int | None
    withdrawn: bool
    created_at: int
    updated_at: int

    @property
    def is_open(self) -> bool:
        return self.status is not Status.RESOLVED

    @property
    def from_detections(self) -> bool:
        return self.fingerprint is not None

    def as_dict(self) -> dict[str, Any]:
        """The issue as plain JSON values, field by field."""
        return {**self.__dict__, "tags": list(self.tags)}


@dataclass(frozen=True)
class Comment:
    id: int
    issue_id: int
    author: str
    body: str
    at: int


@dataclass(frozen=True)
class IssueList:
    """The ids that a filter keeps, in order, of how many there are in all."""

    ids: tuple[int, ...]
    total: int
    query: str
    sort: str
    reverse: bool = False


def acknowledged(issue: Issue) -> dict[str, Any]:
    """The fields that acknowledging sets.

    Raises:
        ConflictError: it is not new any more.
    """
    if issue.status is not Status.NEW:
        raise ConflictError(f"#{issue.id} is {issue.status} already.", _reopen_hint(issue))
    return {"status": Status.ACKNOWLEDGED}


def assigned(issue: Issue, owner: str | None) -> dict[str, Any]:
    """The fields that assigning to ``owner`` sets, or handing back with None.

    Raises:
        ConflictError: the issue is resolved.
    """
    if not issue.is_open:
        raise ConflictError(f"#{issue.id} is resolved.", _reopen_hint(issue))
    if owner:
        return {"owner": owner, "status": Status.IN_PROGRESS}
    status = Status.ACKNOWLEDGED if issue.status is Status.IN_PROGRESS else issue.status
    return {"owner": None, "status": status}


def judged(issue: Issue, kind: VerdictKind, who: str, when: int, why: str | None, of: int | None) -> dict[str, Any]:
    """The fields that a verdict sets.

    Raises:
        UsageError: a duplicate of itself, or of nothing.
    """
    if kind is VerdictKind.DUPLICATE and (of is None or of == issue.id):
        raise UsageError(f"Say which issue #{issue.id} is a duplicate of.", "Give the number of another issue.")
    status = Status.RESOLVED if kind.resolves else issue.status
    if kind is VerdictKind.THREAT and issue.status is Status.NEW:
        status = Status.ACKNOWLEDGED
    return {
        "verdict": kind,
        "verdict_by": who,
        "verdict_at": when,
        "verdict_why": why or None,
        "duplicate_of": of if kind is VerdictKind.DUPLICATE else None,
        "status": status,
    }


def resolved(issue: Issue) -> dict[str, Any]:
    """The fields that resolving sets.

    Raises:
        ConflictError: it is resolved already.
        UsageError: it came from detections and nobody has said yet what they were.
    """
    if not issue.is_open:
        raise ConflictError(f"#{issue.id} is resolved already.")
    if issue.from_detections and issue.verdict is None:
        raise UsageError(
            f"#{issue.id} came from detections and has no verdict.",
            f"Say what they were: `immunos-tui issue verdict {issue.id} threat|false_positive|benign|duplicate`.",
        )
    return {"status": Status.RESOLVED}


def reopened(issue: Issue) -> dict[str, Any]:
    """The fields that reopening sets; a verdict that had ended the issue goes with it.

    Raises:
        ConflictError: it is not resolved.
    """
    if issue.is_open:
        raise ConflictError(f"#{issue.id} is {issue.status}, not resolved.")
    fields: dict[str, Any] = {"status": Status.IN_PROGRESS if issue.owner else Status.NEW}
    if issue.verdict is not None and issue.verdict.resolves:
        fields |= dict.fromkeys(("verdict", "verdict_by", "verdict_at", "verdict_why", "duplicate_of"))
    return fields


def _reopen_hint(issue: Issue) -> str:
    return "" if issue.is_open else f"Reopen it first: `immunos-tui issue reopen {issue.id}`."
