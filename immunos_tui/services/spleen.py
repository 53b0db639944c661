"""Spleen (triage): the list of issues and every step that an operator may take on one.

Each step is one transaction that also appends to the activity chain, and all of them can be undone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from immunos_tui.config import SpleenSettings
from immunos_tui.model import issue as rules
from immunos_tui.model.activity import Activity
from immunos_tui.model.detection import Evidence
from immunos_tui.model.errors import ConflictError, NotFoundError, UsageError
from immunos_tui.model.issue import Comment, Issue, IssueList, Priority, Status, VerdictKind
from immunos_tui.model.posture import Posture
from immunos_tui.model.query import SORTS, parse_query
from immunos_tui.model.text import storable
from immunos_tui.services.undo import Undo
from immunos_tui.store import Store, Transaction, activity, detections, issues

MINUTE = 60_000
RATE_MINUTES = 20
"""Length of the posture strip's sparkline, as in the dashboard that operators know."""

TITLE_LIMIT = 500
BODY_LIMIT = 100_000


@dataclass(frozen=True)
class IssueDetail:
    """An issue with all that is known about it; ``minutes`` are its detections a minute, oldest first."""

    issue: Issue
    evidence: tuple[Evidence, ...]
    comments: tuple[Comment, ...]
    activity: tuple[Activity, ...]
    minutes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Change:
    """What a step did: the issues as they are now, those that were left alone and why."""

    issues: tuple[Issue, ...]
    skipped: Mapping[int, str] = field(default_factory=dict)


class Spleen:
    """Triage over one store. Methods raise ``NotFoundError``, ``UsageError`` and ``ConflictError``."""

    def __init__(self, store: Store, settings: SpleenSettings, me: str) -> None:
        self._store = store
        self._settings = settings
        self.me = me
        self._undo = Undo(store)

    # Looking ------------------------------------------------------------------------------

    def list(self, query: str = "", sort: str = "urgency", reverse: bool = False, limit: int = -1) -> IssueList:
        """The issues that ``query`` keeps, by id."""
        if sort not in SORTS:
            raise UsageError(f"There is no order {sort!r}.", f"It takes {', '.join(SORTS)}.")
        terms = parse_query(query, self.me)
        with self._store.read() as db:
            now = self._store.clock()
            found = issues.ids(db, terms, now, sort, reverse, limit)
            total = issues.count(db, (), now)
        return IssueList(tuple(found), total, query, sort, reverse)

    def many(self, ids: Sequence[int]) -> dict[int, Issue]:
        with self._store.read() as db:
            return issues.many(db, ids)

    def get(self, issue_id: int) -> Issue:
        with self._store.read() as db:
            return _required(issues.get(db, issue_id), issue_id)

    def detail(self, issue_id: int, evidence: int = 6) -> IssueDetail:
        with self._store.read() as db:
            issue = _required(issues.get(db, issue_id), issue_id)
            return IssueDetail(
                issue,
                tuple(detections.evidence(db, issue_id, evidence)),
                tuple(issues.comments(db, issue_id)),
                tuple(activity.of_subject(db, "issue", issue_id, 30)),
                tuple(detections.issue_minutes(db, issue_id, self._store.clock(), RATE_MINUTES)),
            )

    def owners(self) -> Sequence[str]:
        with self._store.read() as db:
            return issues.owners(db)

    def posture(self) -> Posture:
        """The one line that a tired person reads first."""
        with self._store.read() as db:
            now = self._store.clock()
            counts = issues.posture(db, _day_start())
            rate = tuple(detections.minutes(db, now, RATE_MINUTES))
            last = detections.last_scan(db)
        return Posture(**counts, minutes=rate, last_scan=last)

    # Steps --------------------------------------------------------------------------------

    def new(self, title: str, **fields: Any) -> Issue:
        """A new issue made by hand.

        Args:
            fields: body, priority, owner, project, tags, due, domain.
        """
        values = {name: value for name, value in _checked({"title": title, **fields}).items() if value is not None}
        with self._store.write() as tx:
            values |= {"first_seen": tx.at, "last_seen": tx.at, "created_at": tx.at, "updated_at": tx.at}
            values["status"] = Status.IN_PROGRESS if values.get("owner") else Status.NEW
            number = issues.insert(tx.db, values)
            made = _required(issues.get(tx.db, number), number)
            content = {name: getattr(made, name) for name in EDITABLE | {"status", "owner"}}
            tx.record(
                "issue.new", "issue", number, {"new": content, "set": {"withdrawn": [True, False]}}, undoable=True
            )
        return made

    def acknowledge(self, ids: Iterable[int], *, skip: bool = False) -> Change:
        return self._each("issue.ack", ids, lambda issue, _tx: rules.acknowledged(issue), skip)

    def assign(self, ids: Iterable[int], owner: str | None, *, skip: bool = False) -> Change:
        """Hand issues to ``owner`` (``me`` is yourself), or back to nobody with None."""
        name = self.me if owner == "me" else owner
        checked = _checked({"owner": name})["owner"]
        return self._each("issue.assign", ids, lambda issue, _tx: rules.assigned(issue, checked), skip)

    def edit(self, ids: Iterable[int], fields: Mapping[str, Any], *, skip: bool = False) -> Change:
        """Set title, body, priority, project, tags, due or domain."""
        unknown = set(fields) - EDITABLE
        if unknown or not fields:
            raise UsageError(
                f"Nothing to edit under {', '.join(sorted(unknown)) or 'no field'}.",
                f"Fields: {', '.join(sorted(EDITABLE))}.",
            )
        values = _checked(dict(fields))
        return self._each("issue.edit", ids, lambda _issue, _tx: values, skip)

    def step_priority(self, ids: Iterable[int], by: int) -> Change:
        """More urgent by ``by`` steps, ending at critical and low."""
        return self._each("issue.priority", ids, lambda issue, _tx: {"priority": issue.priority.step(by)}, True)

    def tag(self, ids: Iterable[int], tag: str) -> Change:
        """Add a label, or take it away where every one of the issues has it."""
        chosen = list(ids)
        label = _checked({"tags": [tag]})["tags"][0]
        everywhere = all(label in issue.tags for issue in self.many(chosen).values())

        def change(issue: Issue, _tx: Transaction) -> dict[str, Any]:
            return {
                "tags": tuple(t for t in issue.tags if t != label)
                if everywhere
                else (*(t for t in issue.tags if t != label), label)
            }

        return self._each("issue.tag", chosen, change, True)

    def verdict(
        self,
        ids: Iterable[int],
        kind: VerdictKind | str,
        *,
        of: int | None = None,
        why: str | None = None,
        skip: bool = False,
    ) -> Change:
        """Say what issues were; ``of`` is the issue that they are duplicates of."""
        wanted = _verdict(kind)
        reason = _checked({"body": why})["body"] if why else None

        def change(issue: Issue, tx: Transaction) -> dict[str, Any]:
            if wanted is VerdictKind.DUPLICATE and of is not None:
                _require_target(issues.get(tx.db, of), of, issue.id, lambda number: issues.get(tx.db, number))
            return rules.judged(issue, wanted, self.me, tx.at, reason, of)

        return self._each("issue.verdict", ids, change, skip)

    def resolve(self, ids: Iterable[int], *, skip: bool = False) -> Change:
        return self._each("issue.resolve", ids, lambda issue, _tx: rules.resolved(issue), skip)

    def reopen(self, ids: Iterable[int], *, skip: bool = False) -> Change:
        return self._each("issue.reopen", ids, lambda issue, _tx: rules.reopened(issue), skip)

    def comment(self, ids: Iterable[int], body: str) -> Change:
        text = _checked({"body": body.strip()})["body"]
        if not text:
            raise UsageError("A comment needs some text.")
        with self._store.write() as tx:
            chosen = [_required(issues.get(tx.db, number), number) for number in dict.fromkeys(ids)]
            for issue in chosen:
                number = issues.add_comment(tx.db, issue.id, self.me, text, tx.at)
                tx.record("issue.comment", "issue", issue.id, {"comment": number, "body": text}, undoable=True)
        return Change(tuple(chosen))

    def undo(self, group: int | None = None) -> str:
        """Take back my latest action that still stands, or the named one; the sentence says what."""
        return self._undo.undo(group)

    def redo(self) -> str:
        """Bring back what the latest undo took away."""
        return self._undo.redo()

    def _each(
        self, action: str, ids: Iterable[int], change: Callable[[Issue, Transaction], dict[str, Any]], skip: bool
    ) -> Change:
        """Apply a change to each issue in one transaction.

        With ``skip`` an issue that the change does not fit is left alone and named; without it the
        first such issue ends the transaction and nothing is written.
        """
        done: list[int] = []
        skipped: dict[int, str] = {}
        with self._store.write() as tx:
            for number in dict.fromkeys(ids):
                issue = _required(issues.get(tx.db, number), number)
                try:
                    fields = change(issue, tx)
                except (ConflictError, UsageError) as error:
                    if not skip:
                        raise
                    skipped[number] = error.message
                    continue
                moved = {
                    name: [_plain(getattr(issue, name)), _plain(value)]
                    for name, value in fields.items()
                    if getattr(issue, name) != value
                }
                if not moved:
                    skipped[number] = f"#{number} is so already."
                    continue
                issues.update(tx.db, number, fields, tx.at)
                tx.record(action, "issue", number, {"set": moved}, undoable=True)
                done.append(number)
            after = issues.many(tx.db, done)
        return Change(tuple(after[number] for number in done), skipped)


EDITABLE = frozenset({"title", "body", "priority", "project", "tags", "due", "domain"})


def first_error(change: Change) -> str:
    """What to say where nothing was changed."""
    return next(iter(change.skipped.values()), "Nothing to do.")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _required(issue: Issue | None, number: int) -> Issue:
    if issue is None or issue.withdrawn:
        raise NotFoundError(f"There is no issue #{number}.", "`immunos-tui issue list` shows those that there are.")
    return issue


def _require_target(target: Issue | None, of: int, number: int, get: Callable[[int], Issue | None]) -> None:
    """Refuse duplicates of nothing, and rings of duplicates."""
    here: Issue | None = _required(target, of)
    while here is not None and here.duplicate_of is not None:
        if here.duplicate_of == number:
            raise UsageError(f"#{of} is itself a duplicate of #{number}.", "Reopen it first, or name another issue.")
        here = get(here.duplicate_of)


def _verdict(kind: VerdictKind | str) -> VerdictKind:
    try:
        return VerdictKind(str(kind).replace("-", "_"))
    except ValueError as error:
        raise UsageError(f"There is no verdict {kind!r}.", f"It takes {', '.join(VerdictKind)}.") from error


def _priority(value: str) -> Priority:
    try:
        return Priority(str(value).lower())
    except ValueError as error:
        raise UsageError(f"There is no priority {value!r}.", f"It takes {', '.join(Priority)}.") from error


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields in their canonical form.

    Raises:
        UsageError: an empty title, a priority or date that does not exist, or a text that is too long.
    """
    values = {name: storable(value) if type(value) is str else value for name, value in fields.items()}
    if "title" in values:
        values["title"] = " ".join(str(values["title"]).split()).strip()
        if not values["title"]:
            raise UsageError("An issue needs a title.")
    for name, limit in (
        ("title", TITLE_LIMIT),
        ("body", BODY_LIMIT),
        ("owner", 100),
        ("project", 100),
        ("domain", 100),
    ):
        if values.get(name) is not None and len(values[name]) > limit:
            raise UsageError(
                f"The {name} has {len(values[name]):,} characters, and {limit:,} are allowed.", "Shorten it."
            )
    if values.get("priority") is not None:
        values["priority"] = _priority(values["priority"])
    if values.get("due"):
        try:
            values["due"] = date.fromisoformat(str(values["due"])).isoformat()
        except ValueError as error:
            raise UsageError(f"{values['due']!r} is no date.", "Write it as YYYY-MM-DD.") from error
    if values.get("tags") is not None:
        values["tags"] = tuple(dict.fromkeys(storable(tag.strip()) for tag in values["tags"] if tag.strip()))
        if not values["tags"] and fields["tags"]:
            raise UsageError("A label needs some text.")
    return {
        name: (value or None if name in ("owner", "project", "due", "domain") else value)
        for name, value in values.items()
    }


def _day_start() -> int:
    """Local midnight in UTC milliseconds."""
    today = time.localtime()
    return int(time.mktime((today.tm_year, today.tm_mon, today.tm_mday, 0, 0, 0, 0, 0, -1)) * 1000)
