"""Spleen: steps on issues as values, what is recorded with them, and the posture."""

from __future__ import annotations

from typing import Any

import pytest

from immunos_tui.model.errors import ConflictError, NotFoundError, UsageError
from immunos_tui.model.issue import Priority, Status, VerdictKind
from immunos_tui.services.spleen import first_error
from immunos_tui.store import activity
from tests.houses import detected_issue


def actions(house: Any, number: int) -> list[str]:
    return [row.action for row in reversed(house.spleen.detail(number).activity)]


def test_each_step_is_one_row_for_each_issue_in_one_group(house: Any) -> None:
    for title in "abc":
        house.spleen.new(title)
    house.spleen.acknowledge([3, 1, 3])
    with house.store.read() as db:
        rows = activity.group(db, 4)
    assert [(row.seq, row.subject_id, row.action, row.group) for row in rows] == [
        (4, 3, "issue.ack", 4),
        (5, 1, "issue.ack", 4),
    ]
    assert rows[0].payload == {"set": {"status": ["new", "acknowledged"]}}
    assert rows[0].actor == house.store.actor
    assert rows[0].origin == "cli"


def test_skip_names_what_was_left_alone(house: Any) -> None:
    house.spleen.new("a")
    house.spleen.new("b", owner="x")
    change = house.spleen.acknowledge([1, 2], skip=True)
    assert [issue.id for issue in change.issues] == [1]
    assert "in_progress" in change.skipped[2]
    nothing = house.spleen.acknowledge([2], skip=True)
    assert nothing.issues == ()
    assert first_error(nothing) == nothing.skipped[2]
    with pytest.raises(ConflictError):
        house.spleen.acknowledge([2])


def test_nothing_is_recorded_where_nothing_changes(house: Any) -> None:
    house.spleen.new("a", owner="bob")
    before = house.audit.head()
    assert house.spleen.assign([1], "bob").skipped
    assert house.spleen.edit([1], {"priority": "medium"}).skipped
    assert house.audit.head() == before


def test_labels_are_added_where_one_lacks_them_and_else_taken_away(house: Any) -> None:
    house.spleen.new("a", tags=["x"])
    house.spleen.new("b")
    house.spleen.tag([1, 2], "x")
    assert [house.spleen.get(n).tags for n in (1, 2)] == [("x",), ("x",)]
    house.spleen.tag([1, 2], "x")
    assert [house.spleen.get(n).tags for n in (1, 2)] == [(), ()]
    with pytest.raises(UsageError):
        house.spleen.tag([1], "  ")


def test_priority_steps(house: Any) -> None:
    house.spleen.new("a")
    house.spleen.step_priority([1], 9)
    assert house.spleen.get(1).priority is Priority.CRITICAL
    house.spleen.step_priority([1], -1)
    assert house.spleen.get(1).priority is Priority.HIGH


def test_a_ring_of_duplicates_is_refused(house: Any) -> None:
    for title in "abc":
        house.spleen.new(title)
    house.spleen.verdict([1], "duplicate", of=2)
    house.spleen.verdict([2], "duplicate", of=3)
    with pytest.raises(UsageError, match="itself a duplicate"):
        house.spleen.verdict([3], "duplicate", of=1)
    assert house.spleen.get(3).verdict is None


def test_reopening_leaves_what_was_said_in_the_record(house: Any) -> None:
    number = detected_issue(house)
    house.spleen.verdict([number], VerdictKind.BENIGN, why="backup job")
    house.spleen.reopen([number])
    issue = house.spleen.get(number)
    assert (issue.status, issue.verdict, issue.verdict_why) == (Status.NEW, None, None)
    assert actions(house, number) == ["issue.detected", "issue.verdict", "issue.reopen"]


def test_comments_are_in_order_and_of_their_author(house: Any) -> None:
    house.spleen.new("a")
    house.spleen.comment([1], " first ")
    house.spleen.comment([1], "second")
    comments = house.spleen.detail(1).comments
    assert [(item.author, item.body) for item in comments] == [(house.me, "first"), (house.me, "second")]
    for body in ("", "  ", "x" * 100_001):
        with pytest.raises(UsageError):
            house.spleen.comment([1], body)
    with pytest.raises(NotFoundError):
        house.spleen.comment([1, 9], "x")
    assert len(house.spleen.detail(1).comments) == 2


def test_undecodable_bytes_can_be_stored(house: Any) -> None:
    made = house.spleen.new("a \udcff\0", body="\ud800", tags=["\udcfe"], owner="\udcff")
    assert (made.title, made.body, made.tags, made.owner) == ("a \\udcff\\x00", "\\ud800", ("\\udcfe",), "\\udcff")
    house.spleen.comment([1], "\udcff")
    house.spleen.verdict([1], "benign", why="\udcff")
    assert house.spleen.list('"\udcff"').ids == (1,)
    assert house.audit.verify().broken is None


@pytest.mark.parametrize(
    ("fields", "needle"),
    [
        ({}, "no field"),
        ({"status": "resolved"}, "status"),
        ({"title": ""}, "title"),
        ({"body": "x" * 100_001}, "100,001"),
        ({"due": "2030-13-01"}, "YYYY-MM-DD"),
        ({"priority": "x"}, "critical"),
    ],
)
def test_fields_that_cannot_be_edited(house: Any, fields: dict[str, str], needle: str) -> None:
    house.spleen.new("a")
    with pytest.raises(UsageError, match=needle):
        house.spleen.edit([1], fields)


def test_posture_counts_what_is_open(house: Any) -> None:
    assert house.spleen.posture().total == 0
    for priority in ("critical", "high", "high", "low"):
        house.spleen.new("x", priority=priority)
    house.spleen.resolve([2])
    house.spleen.acknowledge([1])
    detected_issue(house, rows=4)
    found = house.spleen.posture()
    assert (found.open, found.critical, found.high, found.low, found.new, found.total) == (4, 1, 2, 1, 3, 5)
    assert (found.opened_today, found.resolved_today) == (5, 1)
    assert found.minutes[-1] == 4
    assert len(found.minutes) == 20
    assert found.last_scan is None


def test_owners_are_offered_in_order(house: Any) -> None:
    for owner in ("bob", "alice", "bob", None):
        house.spleen.new("x", owner=owner)
    assert house.spleen.owners() == ["alice", "bob"]


def test_a_read_only_house_reads(house: Any) -> None:
    house.spleen.new("a")
    house.close()
    house.store.read_only = True
    assert house.spleen.get(1).title == "a"
    with pytest.raises(ConflictError, match="read-only"):
        house.spleen.acknowledge([1])
