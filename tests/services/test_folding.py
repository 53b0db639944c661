"""Folding: one transaction a batch, the same scan adds nothing, and verdicts decide what more of the same does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from immunos_tui.model.detection import Result
from immunos_tui.store import detections
from tests.houses import detected_issue, finding, folding, trained_agent


def test_one_cause_one_issue(house: Any) -> None:
    fold = folding(house)
    source = fold.open_source("a" * 64, "/data/a.csv", 10)
    fold.ingest(source, [finding(0), finding(1, "count"), finding(2)], 0, 2)
    fold.ingest(source, [finding(5), finding(6, result=Result.UNCERTAIN)], 3, 9)
    assert fold.total.recorded == 5
    assert len(fold.total.made) == 2
    first, second = (house.spleen.get(number) for number in fold.total.made)
    assert (first.count, second.count) == (3, 1)
    assert first.domain == "network"
    assert first.agent == "net-1"
    assert sum(house.spleen.posture().minutes) == 4


def test_a_repeated_scan_adds_nothing(house: Any) -> None:
    batch = [finding(row) for row in range(5)]
    for expected in (5, 0):
        fold = folding(house)
        source = fold.open_source("a" * 64, "/elsewhere/a.csv", 10)
        before = house.audit.head()
        fold.ingest(source, batch, 0, 4)
        assert fold.total.recorded == expected
    assert house.audit.head() == before
    assert house.spleen.get(1).count == 5


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
def test_a_scan_begun_again_anywhere_counts_each_row_once(house: Any, starts: list[tuple[int, int]]) -> None:
    """Batches that overlap in any way, as after crashes and with other batch sizes, leave each row once."""
    source_text = f"{house.audit.head()[1]:.64}"
    seen: set[int] = set()
    for first, size in starts:
        fold = folding(house)
        source = fold.open_source(source_text, "/data/a.csv", 10)
        rows = range(first, first + size)
        fold.ingest(source, [finding(row) for row in rows], first, first + size - 1)
        assert fold.total.recorded == len(set(rows) - seen)
        seen |= set(rows)
    with house.store.read() as db:
        assert detections.recorded_rows(db, 1, source, 0, 100) == seen
        count, found = db.execute("SELECT i.count, (SELECT count(*) FROM detections) FROM issues i").fetchone()
    assert count == found


def test_a_batch_is_whole_or_nothing(house: Any) -> None:
    fold = folding(house)
    source = fold.open_source("a" * 64, "/data/a.csv", 10)
    with pytest.raises((KeyError, ValueError), match="urgent"):
        fold.ingest(source, [finding(0), finding(1, "count", priority="urgent")], 0, 1)
    assert house.spleen.list().total == 0
    assert fold.total.recorded == 0
    with house.store.read() as db:
        assert detections.recorded_rows(db, 1, source, 0, 9) == set()


@pytest.mark.parametrize(("kind", "reopens"), [("threat", True), ("false_positive", False), ("benign", False)])
def test_more_of_what_was_resolved(house: Any, kind: str, reopens: bool) -> None:
    number = detected_issue(house)
    house.spleen.verdict([number], kind)
    if kind == "threat":
        house.spleen.resolve([number])
    detected_issue(house, source="next.csv", rows=2)
    issue = house.spleen.get(number)
    assert issue.is_open is reopens
    assert issue.verdict == kind
    assert issue.count == 3


def test_more_of_a_duplicate_goes_to_its_target(house: Any) -> None:
    first = detected_issue(house)
    second = detected_issue(house, feature="count", source="b.csv")
    house.spleen.verdict([second], "duplicate", of=first)
    detected_issue(house, feature="count", source="c.csv", rows=3)
    assert (house.spleen.get(first).count, house.spleen.get(second).count) == (4, 1)
    assert not house.spleen.get(second).is_open


def test_more_urgent_detections_raise_only_what_nobody_has_touched(house: Any) -> None:
    number = detected_issue(house)
    fold = folding(house)
    source = fold.open_source("c" * 64, "/data/c.csv", 1)
    fold.ingest(source, [finding(0, priority="critical")], 0, 0)
    assert house.spleen.get(number).priority == "critical"
    house.spleen.edit([number], {"priority": "low"})
    house.spleen.acknowledge([number])
    fold.ingest(source, [finding(1, priority="critical")], 1, 1)
    assert house.spleen.get(number).priority == "low"


def test_evidence_is_kept_for_the_first_few(house: Any) -> None:
    house.settings = replace(house.settings, spleen=replace(house.settings.spleen, evidence_rows=3))
    number = detected_issue(house, rows=5)
    detail = house.spleen.detail(number)
    assert detail.issue.count == 5
    assert len(detail.evidence) == 3
    detected_issue(house, rows=5, first=5)
    assert len(house.spleen.detail(number).evidence) == 3
    trained_agent(house)
    house.foundry.promote("net-1")
    detected_issue(house, rows=5)
    assert len(house.spleen.detail(number).evidence) == 6


def test_each_made_or_reopened_issue_and_each_batch_is_in_the_record(house: Any) -> None:
    fold = folding(house)
    source = fold.open_source("a" * 64, "/data/a.csv", 10)
    before = house.audit.head()[0]
    fold.ingest(source, [finding(0), finding(1, "count")], 0, 1)
    fold.ingest(source, [finding(2)], 2, 2)
    with house.store.read() as db:
        rows = db.execute('SELECT action, "group" FROM activity WHERE seq > ? ORDER BY seq', (before,)).fetchall()
    assert [row[0] for row in rows] == ["issue.detected", "issue.detected", "scan.batch", "scan.batch"]
    assert len({row[1] for row in rows}) == 2


def test_hostile_samples_and_titles_can_be_recorded(house: Any) -> None:
    fold = folding(house)
    source = fold.open_source("a" * 64, "/data/\udcff.csv", 10)
    fold.ingest(source, [replace(finding(0), title="\udcff\x1b[2J", sample="\udcff\0")], 0, 0)
    assert house.spleen.get(1).title == "\\udcff\x1b[2J"
    assert house.spleen.detail(1).evidence[0].sample == "\\udcff\\x00"
