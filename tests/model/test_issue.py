"""Which step may follow which."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immunos_tui.model import issue as rules
from immunos_tui.model.errors import ConflictError, UsageError
from immunos_tui.model.issue import Issue, Priority, Status, VerdictKind


def plain(**changes: object) -> Issue:
    values: dict[str, object] = {
        "id": 1, "title": "t", "body": "", "status": Status.NEW, "priority": Priority.MEDIUM, "owner": None, "project": None,
        "tags": (), "due": None, "domain": None, "agent": None, "fingerprint": None, "count": 0, "first_seen": 0, "last_seen": 0,
        "verdict": None, "verdict_by": None, "verdict_at": None, "verdict_why": None, "duplicate_of": None, "withdrawn": False,
        "created_at": 0, "updated_at": 0,
    }  # fmt: skip
    return Issue(**{**values, **changes})  # type: ignore[arg-type]


def test_only_a_new_issue_is_acknowledged() -> None:
    assert rules.acknowledged(plain()) == {"status": Status.ACKNOWLEDGED}
    for status in set(Status) - {Status.NEW}:
        with pytest.raises(ConflictError):
            rules.acknowledged(plain(status=status))


def test_assignment_starts_work_and_handing_back_stops_it() -> None:
    given_to = replace(plain(), **rules.assigned(plain(), "bob"))
    assert (given_to.owner, given_to.status) == ("bob", Status.IN_PROGRESS)
    back = replace(given_to, **rules.assigned(given_to, None))
    assert (back.owner, back.status) == (None, Status.ACKNOWLEDGED)
    with pytest.raises(ConflictError, match="resolved"):
        rules.assigned(plain(status=Status.RESOLVED), "bob")


@pytest.mark.parametrize("kind", list(VerdictKind))
def test_every_verdict_but_threat_resolves(kind: VerdictKind) -> None:
    of = 2 if kind is VerdictKind.DUPLICATE else None
    after = replace(plain(), **rules.judged(plain(), kind, "me", 5, "why", of))
    assert (after.status is Status.RESOLVED) is (kind is not VerdictKind.THREAT)
    assert (after.verdict, after.verdict_by, after.verdict_at, after.verdict_why) == (kind, "me", 5, "why")


def test_a_duplicate_is_of_another() -> None:
    for of in (None, 1):
        with pytest.raises(UsageError):
            rules.judged(plain(), VerdictKind.DUPLICATE, "me", 5, None, of)


def test_detections_are_resolved_only_with_a_verdict() -> None:
    with pytest.raises(UsageError, match="verdict"):
        rules.resolved(plain(fingerprint="1:x"))
    assert rules.resolved(plain(fingerprint="1:x", verdict=VerdictKind.THREAT)) == {"status": Status.RESOLVED}
    assert rules.resolved(plain()) == {"status": Status.RESOLVED}
    with pytest.raises(ConflictError):
        rules.resolved(plain(status=Status.RESOLVED))


def test_reopening_leads_back_to_its_owner() -> None:
    assert rules.reopened(plain(status=Status.RESOLVED))["status"] is Status.NEW
    assert rules.reopened(plain(status=Status.RESOLVED, owner="bob"))["status"] is Status.IN_PROGRESS
    judged = plain(status=Status.RESOLVED, verdict=VerdictKind.BENIGN)
    assert rules.reopened(judged)["verdict"] is None
    assert "verdict" not in rules.reopened(plain(status=Status.RESOLVED, verdict=VerdictKind.THREAT))
    with pytest.raises(ConflictError):
        rules.reopened(plain())


@given(st.sampled_from(list(Priority)), st.integers(-9, 9))
def test_priority_steps_end_at_both_ends(priority: Priority, by: int) -> None:
    assert priority.step(by).rank == min(3, max(0, priority.rank + by))
