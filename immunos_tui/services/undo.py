"""Undo and redo of triage, from the activity record, so that they outlive the program.

An undo puts back what each row of an action had replaced, and is itself recorded. Where somebody
has changed one of those fields since, it refuses and names that later action.
"""

from __future__ import annotations

from typing import Any

from immunos_tui.model.activity import Activity
from immunos_tui.model.errors import ConflictError, NotFoundError
from immunos_tui.model.issue import Issue, Priority, Status, VerdictKind
from immunos_tui.store import Store, Transaction, activity, issues

WORDS = {
    "issue.new": "making",
    "issue.ack": "acknowledging",
    "issue.assign": "assigning",
    "issue.edit": "editing",
    "issue.priority": "the priority of",
    "issue.tag": "labelling",
    "issue.comment": "the comment on",
    "issue.verdict": "the verdict on",
    "issue.resolve": "resolving",
    "issue.reopen": "reopening",
}


class Undo:
    """Takes actions back and brings them back, one transaction each."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def undo(self, group: int | None = None) -> str:
        """Take back this user's latest standing action, or the action that row ``group`` belongs to.

        Raises:
            NotFoundError: nothing to undo, or no such activity.
            ConflictError: it is undone already, cannot be undone, or a later action is in the way.
        """
        with self._store.write() as tx:
            chosen = self._choose(tx, group)
            rows = activity.group(tx.db, chosen)
            for row in reversed(rows):
                self._reverse(tx, row, chosen, "undo", forward=False)
            by = _group_of(tx)
            activity.mark_undone(tx.db, chosen, by, redoable=rows[0].actor == self._store.actor)
        return f"Undone: {describe(rows)}."

    def redo(self) -> str:
        """Bring back what this user's latest undo took away.

        Raises:
            NotFoundError: nothing to redo.
            ConflictError: a later action is in the way.
        """
        with self._store.write() as tx:
            found = activity.next_redo(tx.db, self._store.actor)
            if found is None:
                raise NotFoundError("There is nothing to redo.")
            chosen, undone_by = found
            rows = activity.group(tx.db, chosen)
            for row in rows:
                self._reverse(tx, row, undone_by, "redo", forward=True)
            activity.mark_redone(tx.db, chosen)
        return f"Redone: {describe(rows)}."

    def _choose(self, tx: Transaction, group: int | None) -> int:
        if group is None:
            latest = activity.latest_standing(tx.db, self._store.actor)
            if latest is None:
                raise NotFoundError("There is nothing of yours to undo.")
            return latest
        row = activity.get(tx.db, group)
        if row is None:
            raise NotFoundError(f"There is no activity {group}.", "`immunos-tui issue show ID` lists them.")
        state = activity.undo_state(tx.db, row.group)
        if state is None:
            raise ConflictError(f"Activity {group} ({row.action}) is not one that can be undone.")
        if state["undone_by"] is not None:
            raise ConflictError(f"Activity {group} was undone already, by activity {state['undone_by']}.")
        return row.group

    def _reverse(self, tx: Transaction, row: Activity, since: int, action: str, *, forward: bool) -> None:
        """Move one row's fields to the other side of the change it made."""
        number = row.subject_id or 0
        issue = issues.get(tx.db, number)
        if issue is None:
            raise ConflictError(f"#{number} is not there any more.")
        target: dict[str, Any] = {}
        for field, (before, after) in row.payload.get("set", {}).items():
            here, there = (before, after) if forward else (after, before)
            self._require_unchanged(tx, issue, field, here, since, action)
            target[field] = _typed(field, there)
        if "new" in row.payload and not forward:
            self._require_untouched(tx, issue, row, since)
        payload: dict[str, Any] = {
            "set": {name: [_plain(getattr(issue, name)), _plain(value)] for name, value in target.items()}
        }
        if "comment" in row.payload:
            self._comment(tx, row, withdrawn=not forward)
            payload["comment"] = row.payload["comment"]
        if target:
            issues.update(tx.db, number, target, tx.at)
        tx.record(action, "issue", number, payload, undoes=row.group)

    def _require_unchanged(
        self, tx: Transaction, issue: Issue, field: str, expected: Any, since: int, action: str
    ) -> None:
        if _plain(getattr(issue, field)) == expected:
            return
        later = activity.later_change(tx.db, issue.id, field, since)
        who = f"by activity {later.seq} ({later.action} of {later.actor})" if later else "by new detections"
        raise ConflictError(
            f"Cannot {action}: the {field} of #{issue.id} was changed since, {who}.",
            f"Undo that first: `immunos-tui issue undo {later.seq}`." if later else "Set the field by hand.",
        )

    def _require_untouched(self, tx: Transaction, issue: Issue, row: Activity, since: int) -> None:
        """Withdrawing an issue would hide what others did with it, so nobody may have."""
        for field, value in row.payload["new"].items():
            self._require_unchanged(tx, issue, field, value, since, "undo")
        comments = issues.comments(tx.db, issue.id)
        if comments:
            raise ConflictError(
                f"Cannot undo: #{issue.id} has a comment by {comments[0].author}.", "Resolve the issue instead."
            )

    def _comment(self, tx: Transaction, row: Activity, *, withdrawn: bool) -> None:
        number = int(row.payload["comment"])
        if issues.comment_withdrawn(tx.db, number) is withdrawn:
            raise ConflictError(f"The comment on #{row.subject_id} is so already.")
        issues.set_comment_withdrawn(tx.db, number, withdrawn)


def describe(rows: list[Activity]) -> str:
    """An action in words: what was done, and to which issues."""
    numbers = [f"#{row.subject_id}" for row in rows]
    what = ", ".join(numbers[:5]) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
    return f"{WORDS.get(rows[0].action, rows[0].action)} {what}"


def _group_of(tx: Transaction) -> int:
    row = activity.get(tx.db, tx.head[0]) if tx.head else None
    return row.group if row else 0


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _typed(field: str, value: Any) -> Any:
    """A field's value as the model has it, from the JSON of the record."""
    if value is None:
        return None
    kinds = {"status": Status, "priority": Priority, "verdict": VerdictKind, "tags": tuple}
    return kinds[field](value) if field in kinds else value
