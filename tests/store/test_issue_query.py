"""From filters to SQL: every filter runs, and finds what a plain reading of it finds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from immunos_tui.model.errors import UsageError
from immunos_tui.model.query import SORTS, parse_query
from tests.houses import detected_issue

HOUR = 3_600_000


@pytest.fixture
def issues(house: Any) -> Any:
    """Five issues of every kind; 1 is the oldest."""
    clock = [1_000_000 * HOUR]
    house.store.clock = lambda: clock[0]
    for title, fields in (
        ("ssh logins at night", {"priority": "critical", "owner": "alice", "tags": ["ssh", "night"], "domain": "logs"}),
        ('100 % "quoted" under_score', {"priority": "low", "project": "north gate", "due": "2001-01-01"}),
        ("Ärger mit Umlauten 日本語", {"body": "the word ssh is in the body"}),
        ("resolved one", {"owner": "bob"}),
    ):
        house.spleen.new(title, **fields)
        clock[0] += 24 * HOUR
    house.spleen.resolve([4])
    detected_issue(house, rows=12)
    return house.spleen


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", {1, 2, 3, 4, 5}),
        ("is:open", {1, 2, 3, 5}),
        ("-is:open", {4}),
        ("is:resolved", {4}),
        ("is:new", {2, 3, 5}),
        ("is:manual", {1, 2, 3, 4}),
        ("is:detected", {5}),
        ("is:unowned", {2, 3, 5}),
        ("is:overdue", {2}),
        ("prio:>=high", {1, 5}),
        ("prio:<high", {2, 3, 4}),
        ("-prio:medium", {1, 2, 5}),
        ("owner:alice", {1}),
        ("-owner:alice", {2, 3, 4, 5}),
        ("owner:none", {2, 3, 5}),
        ("domain:logs", {1}),
        ("-domain:logs", {2, 3, 4, 5}),
        ("tag:ssh", {1}),
        ("-tag:ssh", {2, 3, 4, 5}),
        ('project:"north gate"', {2}),
        ("agent:net-1", {5}),
        ("count:>=12", {5}),
        ("count:0", {1, 2, 3, 4}),
        ("id:>=4", {4, 5}),
        ("#2", {2}),
        ("-#2", {1, 3, 4, 5}),
        ("age:<36h", {4, 5}),
        ("age:>2d", {1, 2}),
        ("seen:<1h", {5}),
        ("ssh", {1, 3}),
        ("SSH -tag:ssh", {3}),
        ("-ssh", {2, 4, 5}),
        ("umlaut", {3}),
        ("日本", {3}),
        ('"100 %"', {2}),
        ("%", {2}),
        ("_s", {2}),
        ("serror", {5}),
        ("verdict:none", {1, 2, 3, 4, 5}),
        ("verdict:any", set()),
    ],
)
def test_a_filter_finds(issues: Any, query: str, ids: set[int]) -> None:
    assert set(issues.list(query).ids) == ids


@pytest.mark.parametrize("sort", SORTS)
def test_an_order_and_its_mirror_image(issues: Any, sort: str) -> None:
    one, other = issues.list(sort=sort).ids, issues.list(sort=sort, reverse=True).ids
    assert set(one) == {1, 2, 3, 4, 5}
    assert other == tuple(reversed(one))
    assert issues.list(sort=sort, limit=2).ids == one[:2]


def test_the_most_urgent_comes_first(issues: Any) -> None:
    assert issues.list().ids == (1, 5, 3, 2, 4)


def test_withdrawn_issues_are_in_no_list(issues: Any, house: Any) -> None:
    house.spleen.new("gone")
    house.spleen.undo()
    assert issues.list().total == 5
    assert issues.list("gone").ids == ()
    assert issues.list("-gone").total == 5


@given(st.text(st.characters(categories=None), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
def test_any_filter_runs(issues: Any, query: str) -> None:
    try:
        found = issues.list(query)
    except UsageError:
        return
    assert set(found.ids) <= {1, 2, 3, 4, 5}


@given(st.text(st.characters(categories=None, exclude_characters='"'), min_size=1, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_what_is_in_a_title_is_found(house: Any, text: str) -> None:
    words = " ".join(text.split())
    if not words:
        return
    number = house.spleen.new(f"a {words} z").id
    stored = house.spleen.get(number).title[2:-2]
    if stored.strip():
        assert number in house.spleen.list(f'"{stored}"').ids


def test_terms_are_bound_never_pasted(issues: Any) -> None:
    for text in ("owner:x'--", 'tag:"x\');DROP"', "'; DROP TABLE issues; --", '"a"" OR 1=1"'):
        assert parse_query(text)
        issues.list(text)
    assert issues.list().total == 5
