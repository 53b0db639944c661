"""Folding detections into issues by fingerprint, one transaction a batch.

A batch records only rows that are not recorded yet, so that a scan which is repeated, or begun
again after a crash, adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from immunos_tui.config import SpleenSettings
from immunos_tui.model.agent import Agent, AgentVersion
from immunos_tui.model.detection import Detection, Result
from immunos_tui.model.issue import Issue, Priority, Status, VerdictKind, reopened
from immunos_tui.model.text import storable
from immunos_tui.store import Store, Transaction, detections, issues


@dataclass
class Folded:
    """What ingesting did, added up over batches."""

    recorded: int = 0
    made: list[int] = field(default_factory=list)
    reopened: list[int] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)


class Folding:
    """Takes the detections of one scan in batches."""

    def __init__(self, store: Store, settings: SpleenSettings, agent: Agent, version: AgentVersion) -> None:
        self._store = store
        self._keep = settings.evidence_rows
        self._agent = agent
        self._version = version
        self.total = Folded()

    def open_source(self, sha256: str, path: str, size: int) -> int:
        """The id under which this content is recorded."""
        with self._store.write() as tx:
            return detections.source(tx.db, sha256, storable(path), size, tx.at)

    def ingest(self, source_id: int, batch: Sequence[Detection], first: int, last: int) -> None:
        """Record and fold the detections of rows ``first`` to ``last`` in one transaction.

        Nothing is written where all of them are recorded already.
        """
        with self._store.read() as db:
            known = detections.recorded_rows(db, self._version.id, source_id, first, last)
        if all(item.row in known for item in batch):
            return
        with self._store.write() as tx:
            known = detections.recorded_rows(tx.db, self._version.id, source_id, first, last)
            fresh = [item for item in batch if item.row not in known]
            targets = self._targets(tx, fresh)
            self._insert(tx, source_id, fresh, targets)
            flagged = sum(item.result.makes_issue for item in fresh)
            detections.add_minute(tx.db, tx.at, flagged, len(fresh) - flagged)
            summary = {
                "agent": self._agent.name,
                "version": self._version.number,
                "rows": [first, last],
                "recorded": len(fresh),
                "flagged": flagged,
            }
            tx.record("scan.batch", "source", source_id, summary)
        self.total.recorded += len(fresh)

    def _targets(self, tx: Transaction, fresh: Sequence[Detection]) -> dict[str, int]:
        """The issue that each fingerprint goes to, made, counted up or reopened."""
        groups: dict[str, list[Detection]] = {}
        for item in fresh:
            if item.result.makes_issue:
                groups.setdefault(item.fingerprint, []).append(item)
        known = issues.by_fingerprints(tx.db, groups)
        targets = {}
        for fingerprint, items in groups.items():
            worst = max(items, key=_weight)
            issue = known.get(fingerprint)
            if issue is None:
                targets[fingerprint] = self._make(tx, worst, len(items))
            else:
                targets[fingerprint] = self._count(tx, _follow(tx, issue), worst, len(items))
        self.total.touched.update(targets.values())
        return targets

    def _make(self, tx: Transaction, worst: Detection, count: int) -> int:
        title = storable(worst.title)
        fields = {
            "title": title,
            "priority": Priority(worst.priority),
            "domain": self._agent.domain,
            "agent": self._agent.name,
            "fingerprint": worst.fingerprint,
            "count": count,
            "first_seen": tx.at,
            "last_seen": tx.at,
            "created_at": tx.at,
            "updated_at": tx.at,
            "project": self._agent.params.get("project"),
        }
        number = issues.insert(tx.db, fields)
        tx.record("issue.detected", "issue", number, {"title": title, "fingerprint": worst.fingerprint, "count": count})
        self.total.made.append(number)
        return number

    def _count(self, tx: Transaction, issue: Issue, worst: Detection, count: int) -> int:
        issues.add_count(tx.db, issue.id, count, tx.at, tx.at)
        changes = {}
        if not issue.is_open and issue.verdict is VerdictKind.THREAT:
            changes = reopened(issue)
            self.total.reopened.append(issue.id)
        elif issue.status is Status.NEW and Priority(worst.priority).rank > issue.priority.rank:
            changes = {"priority": Priority(worst.priority)}
        if changes:
            moved = {name: [getattr(issue, name), value] for name, value in changes.items()}
            issues.update(tx.db, issue.id, changes, tx.at)
            tx.record(
                "issue.reopen" if "status" in changes else "issue.raise",
                "issue",
                issue.id,
                {"set": moved, "by": "detections"},
            )
        return issue.id

    def _insert(self, tx: Transaction, source_id: int, fresh: Sequence[Detection], targets: dict[str, int]) -> None:
        held = detections.evidence_counts(tx.db, self._version.id, set(targets.values()))
        rows = []
        for item in fresh:
            issue = targets.get(item.fingerprint) if item.result is not Result.UNCERTAIN else None
            kept = issue is not None and item.explanation is not None and held[issue] < self._keep
            if issue is not None and kept:
                held[issue] += 1
            rows.append((item, issue, kept))
        detections.insert(tx.db, self._version.id, source_id, rows, tx.at)

    def room(self, fingerprint: str, seen: dict[str, int]) -> bool:
        """Whether one more explanation of this fingerprint could still be kept; counts it in ``seen``."""
        seen[fingerprint] = seen.get(fingerprint, 0) + 1
        return seen[fingerprint] <= self._keep


RANKS = {priority.value: priority.rank for priority in Priority}


def _weight(item: Detection) -> tuple[bool, int, float]:
    """What makes a detection the one that its issue is named after."""
    return bool(item.title), RANKS[item.priority], item.score


def _follow(tx: Transaction, issue: Issue) -> Issue:
    """The issue that detections of a duplicate go to."""
    passed = {issue.id}
    while (
        issue.verdict is VerdictKind.DUPLICATE and issue.duplicate_of is not None and issue.duplicate_of not in passed
    ):
        target = issues.get(tx.db, issue.duplicate_of)
        if target is None:
            break
        issue = target
        passed.add(issue.id)
    return issue
