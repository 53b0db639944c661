"""Undo and redo: any sequence of steps by two people can be taken back to the start and brought forth again."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from immunos_tui.config import Settings
from immunos_tui.model.errors import ConflictError, ImmunosError, NotFoundError
from immunos_tui.paths import find_paths
from immunos_tui.services.house import House
from immunos_tui.store import AuditHead, Store, load_key
from tests.houses import detected_issue, finding, folding

NUMBERS = st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True)
WHO = st.sampled_from(["alice", "bob"])
UNTOUCHED = ("id", "title", "body", "status", "priority", "owner", "project", "tags", "due", "domain", "verdict", "verdict_by",
             "verdict_at", "verdict_why", "duplicate_of", "withdrawn", "count", "fingerprint")  # fmt: skip


def person(folder: Path, name: str) -> House:
    """The house as one OS user has it open, in a program of their own."""
    paths = find_paths({"IMMUNOS_BASE_PATH": str(folder)})
    store = Store(
        paths.database, load_key(paths.secret_key, {}, paths.database), AuditHead(paths.audit_head), actor=name
    )
    return House(paths, Settings(), store, name)


class Triage(RuleBasedStateMachine):
    """Two people work on four issues; a shadow keeps what each issue was before each step."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.people = {name: person(Path(self._folder.name), name) for name in ("alice", "bob")}
        self.steps: list[tuple[str, dict[int, Any]]] = []
        self.undone: dict[str, list[tuple[dict[int, Any], dict[int, Any]]]] = {"alice": [], "bob": []}

    @initialize()
    def four_issues(self) -> None:
        detected_issue(self.people["alice"], feature="serror_rate")
        detected_issue(self.people["alice"], feature="count", source="other.csv")
        for _ in range(2):
            self.people["alice"].spleen.new("made by hand")
        self.start = self.state()

    def state(self) -> dict[int, Any]:
        """Every field of every issue that a step can set, with its comments."""
        spleen = self.people["alice"].spleen
        found = {}
        for number in range(1, 5):
            try:
                detail = spleen.detail(number)
            except NotFoundError:
                continue
            found[number] = (
                {name: getattr(detail.issue, name) for name in UNTOUCHED},
                [item.body for item in detail.comments],
            )
        return found

    def step(self, who: str, act: Any) -> None:
        """One step, which changes something and is then remembered, or is refused and changes nothing."""
        before, head = self.state(), self.people[who].audit.head()
        try:
            act(self.people[who].spleen)
        except ImmunosError:
            assert self.state() == before
            return
        if self.people[who].audit.head() != head:
            self.steps.append((who, before))
            self.undone[who].clear()

    @rule(who=WHO, ids=NUMBERS, skip=st.booleans())
    def acknowledge(self, who: str, ids: list[int], skip: bool) -> None:
        self.step(who, lambda spleen: spleen.acknowledge(ids, skip=skip))

    @rule(who=WHO, ids=NUMBERS, owner=st.sampled_from(["me", "carol", None]))
    def assign(self, who: str, ids: list[int], owner: str | None) -> None:
        self.step(who, lambda spleen: spleen.assign(ids, owner))

    @rule(who=WHO, ids=NUMBERS, priority=st.sampled_from(["critical", "low"]), title=st.sampled_from(["x", "y"]))
    def edit(self, who: str, ids: list[int], priority: str, title: str) -> None:
        self.step(who, lambda spleen: spleen.edit(ids, {"priority": priority, "title": title}))

    @rule(who=WHO, ids=NUMBERS, label=st.sampled_from(["a", "b"]))
    def tag(self, who: str, ids: list[int], label: str) -> None:
        self.step(who, lambda spleen: spleen.tag(ids, label))

    @rule(who=WHO, ids=NUMBERS, by=st.sampled_from([-1, 1]))
    def step_priority(self, who: str, ids: list[int], by: int) -> None:
        self.step(who, lambda spleen: spleen.step_priority(ids, by))

    @rule(who=WHO, ids=NUMBERS)
    def comment(self, who: str, ids: list[int]) -> None:
        self.step(who, lambda spleen: spleen.comment(ids, "words"))

    @rule(
        who=WHO,
        ids=NUMBERS,
        kind=st.sampled_from(["threat", "benign", "false_positive", "duplicate"]),
        of=st.integers(1, 4),
    )
    def verdict(self, who: str, ids: list[int], kind: str, of: int) -> None:
        self.step(who, lambda spleen: spleen.verdict(ids, kind, of=of, why="because"))

    @rule(who=WHO, ids=NUMBERS)
    def resolve(self, who: str, ids: list[int]) -> None:
        self.step(who, lambda spleen: spleen.resolve(ids))

    @rule(who=WHO, ids=NUMBERS)
    def reopen(self, who: str, ids: list[int]) -> None:
        self.step(who, lambda spleen: spleen.reopen(ids))

    @precondition(lambda self: self.steps)
    @rule()
    def undo_the_last_step(self) -> None:
        """The newest step of all can always be taken back, and redo brings it back exactly."""
        who, before = self.steps.pop()
        after = self.state()
        self.people[who].spleen.undo()
        assert self.state() == before
        self.undone[who].append((after, before))

    @rule(who=WHO)
    def redo(self, who: str) -> None:
        before = self.state()
        try:
            self.people[who].spleen.redo()
        except ImmunosError:
            assert self.state() == before
            return
        done, without = self.undone[who].pop()
        for number, (fields, comments) in self.state().items():
            if (fields, comments) != before[number]:
                assert fields == done[number][0]
                # Others may have commented meanwhile: what comes back is what the undo had taken, and no more.
                taken = Counter(done[number][1]) - Counter(without[number][1])
                assert Counter(comments) == Counter(before[number][1]) + taken
        self.steps.append((who, before))

    @rule(who=WHO)
    def undo_own_and_redo(self, who: str) -> None:
        """Somebody's own latest step is taken back and brought forth again, or is refused; either changes nothing."""
        before = self.state()
        try:
            self.people[who].spleen.undo()
        except ImmunosError:
            assert self.state() == before
            return
        self.people[who].spleen.redo()
        assert self.state() == before

    @invariant()
    def the_chain_is_whole(self) -> None:
        if hasattr(self, "start"):
            report = self.people["alice"].audit.verify()
            assert report.broken is None, report

    def teardown(self) -> None:
        """Everything taken back, newest first, leaves what there was at the start; restarts change nothing."""
        if hasattr(self, "start"):
            while self.steps:
                who, before = self.steps.pop()
                person(Path(self._folder.name), who).spleen.undo()
                assert self.state() == before
            assert self.state() == self.start
        for house in self.people.values():
            house.close()
        self._folder.cleanup()


Triage.TestCase.settings = settings(max_examples=10, stateful_step_count=12, deadline=None)
TestTriage = Triage.TestCase


# Single cases ---------------------------------------------------------------------------------


@pytest.fixture
def two(base: Path) -> Any:
    """Alice and Bob, with three issues."""
    people = [person(base, name) for name in ("alice", "bob")]
    for title in "abc":
        people[0].spleen.new(title)
    yield people
    for house in people:
        house.close()


def test_each_takes_back_their_own(two: Any) -> None:
    alice, bob = two
    alice.spleen.acknowledge([1])
    bob.spleen.acknowledge([2])
    alice.spleen.undo()
    assert [alice.spleen.get(n).status for n in (1, 2)] == ["new", "acknowledged"]
    with pytest.raises(NotFoundError, match="nothing to redo"):
        bob.spleen.redo()
    alice.spleen.redo()
    assert alice.spleen.get(1).status == "acknowledged"


def test_undo_works_after_a_restart(two: Any, base: Path) -> None:
    two[0].spleen.acknowledge([1])
    again = person(base, "alice")
    assert again.spleen.undo() == "Undone: acknowledging #1."
    assert person(base, "alice").spleen.redo() == "Redone: acknowledging #1."


def test_another_persons_later_change_is_in_the_way_and_named(two: Any) -> None:
    alice, bob = two
    alice.spleen.edit([1, 2], {"priority": "low"})
    bob.spleen.edit([2], {"priority": "high"})
    with pytest.raises(ConflictError) as caught:
        alice.spleen.undo()
    assert "activity 6" in str(caught.value)
    assert "of bob" in str(caught.value)
    assert [alice.spleen.get(n).priority for n in (1, 2)] == ["low", "high"]
    alice.spleen.undo(6)
    alice.spleen.undo()
    assert [alice.spleen.get(n).priority for n in (1, 2)] == ["medium", "medium"]


def test_what_another_took_back_is_not_theirs_to_redo(two: Any) -> None:
    alice, bob = two
    bob.spleen.acknowledge([1])
    alice.spleen.undo(4)
    for house in two:
        with pytest.raises(NotFoundError):
            house.spleen.redo()


def test_a_new_step_clears_redo(two: Any) -> None:
    alice, _ = two
    alice.spleen.acknowledge([1])
    alice.spleen.undo()
    alice.spleen.acknowledge([2])
    with pytest.raises(NotFoundError, match="nothing to redo"):
        alice.spleen.redo()


def test_an_undo_cannot_itself_be_undone(two: Any) -> None:
    alice, _ = two
    alice.spleen.acknowledge([1])
    alice.spleen.undo()
    with pytest.raises(ConflictError, match="not one that can be undone"):
        alice.spleen.undo(5)
    with pytest.raises(ConflictError, match="undone already, by activity 5"):
        alice.spleen.undo(4)


def test_an_issue_that_others_worked_on_is_not_withdrawn(two: Any) -> None:
    alice, bob = two
    bob.spleen.comment([3], "looking at it")
    with pytest.raises(ConflictError, match="comment by bob"):
        alice.spleen.undo()
    bob.spleen.undo()
    bob.spleen.acknowledge([3])
    with pytest.raises(ConflictError, match="activity"):
        alice.spleen.undo()
    assert alice.spleen.get(3).status == "acknowledged"


def test_detections_that_reopened_are_in_the_way_of_undo(two: Any) -> None:
    alice, _ = two
    number = detected_issue(alice)
    alice.spleen.verdict([number], "threat")
    alice.spleen.resolve([number])
    detected_issue(alice, source="next.csv")
    assert alice.spleen.get(number).is_open
    with pytest.raises(ConflictError, match="changed since"):
        alice.spleen.undo()


def test_detections_do_not_stand_in_the_way_of_other_undos(two: Any) -> None:
    alice, _ = two
    number = detected_issue(alice)
    alice.spleen.assign([number], "carol")
    fold = folding(alice)
    source = fold.open_source("b" * 64, "/data/b.csv", 1)
    fold.ingest(source, [finding(7, "serror_rate")], 0, 10)
    assert alice.spleen.get(number).count == 2
    alice.spleen.undo()
    assert (alice.spleen.get(number).owner, alice.spleen.get(number).count) == (None, 2)
