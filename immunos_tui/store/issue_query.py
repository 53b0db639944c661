"""From the terms of a filter to the WHERE clause and order of an issue list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from immunos_tui.model.issue import Priority
from immunos_tui.model.query import Term

RANK = "CASE priority WHEN 'critical' THEN 3 WHEN 'high' THEN 2 WHEN 'medium' THEN 1 ELSE 0 END"
STEP = "CASE status WHEN 'new' THEN 0 WHEN 'acknowledged' THEN 1 WHEN 'in_progress' THEN 2 ELSE 3 END"

ORDERS = {
    "urgency": f"status = 'resolved', {RANK} DESC, last_seen DESC, id DESC",
    "id": "id DESC",
    "seen": "last_seen DESC, id DESC",
    "age": "created_at, id",
    "count": "count DESC, id DESC",
    "status": f"{STEP}, {RANK} DESC, id DESC",
    "domain": f"domain IS NULL, domain, {RANK} DESC, id DESC",
    "owner": f"owner IS NULL, owner, {RANK} DESC, id DESC",
    "title": "title COLLATE NOCASE, id",
}

_FLAGS = {
    "open": "status <> 'resolved'",
    "owned": "owner IS NOT NULL",
    "unowned": "owner IS NULL",
    "manual": "fingerprint IS NULL",
    "detected": "fingerprint IS NOT NULL",
}


def where(terms: Iterable[Term], now: int) -> tuple[str, list[object]]:
    """The condition that all terms hold, and its parameters; withdrawn issues are never listed."""
    clauses, values = ["withdrawn = 0"], []
    for term in terms:
        clause, given = _clause(term, now)
        clauses.append(f"NOT coalesce({clause}, 0)" if term.negated else f"({clause})")
        values.extend(given)
    return " AND ".join(clauses), values


def order_by(sort: str, reverse: bool = False) -> str:
    """The ORDER BY list of a named sort, or of its mirror image."""
    parts = (
        ORDERS[sort].split(", ")
        if "CASE" not in ORDERS[sort]
        else ORDERS[sort].replace(f"{RANK}", "@R").replace(STEP, "@S").split(", ")
    )
    if reverse:
        parts = [part[:-5] if part.endswith(" DESC") else part + " DESC" for part in parts]
    return ", ".join(parts).replace("@R", RANK).replace("@S", STEP)


def _clause(term: Term, now: int) -> tuple[str, list[object]]:
    if term.field == "text":
        return _text(term.value)
    if term.field == "is":
        return _flag(term.value)
    if term.field == "prio":
        return f"{RANK} {term.op} ?", [Priority(term.value).rank]
    if term.field in ("age", "seen"):
        # A smaller age is a later time, so the comparison turns around.
        turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": ">="}[term.op]
        column = "created_at" if term.field == "age" else "last_seen"
        return f"{column} {turned} ?", [now - int(term.value)]
    if term.field in ("count", "id"):
        return f"{term.field} {term.op} ?", [int(term.value)]
    if term.field == "tag":
        return "EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)", [term.value]
    empty = {
        ("owner", ""): "owner IS NULL",
        ("verdict", "none"): "verdict IS NULL",
        ("verdict", "any"): "verdict NOTNULL",
    }
    if (term.field, term.value) in empty:
        return empty[term.field, term.value], []
    return f"{term.field} = ?", [term.value]


def _flag(value: str) -> tuple[str, list[object]]:
    if value in _FLAGS:
        return _FLAGS[value], []
    if value == "overdue":
        return "due IS NOT NULL AND due < ? AND status <> 'resolved'", [datetime.now().astimezone().date().isoformat()]
    return "status = ?", [value]


def _text(value: str) -> tuple[str, list[object]]:
    if len(value) >= 3:
        phrase = '"' + value.replace('"', '""') + '"'
        return "id IN (SELECT rowid FROM issues_fts WHERE issues_fts MATCH ?)", [phrase]
    like = "%" + value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return "(title LIKE ? ESCAPE '\\' OR body LIKE ? ESCAPE '\\')", [like, like]
