"""The filter language of the issue list: ``is:open prio:>=high -owner:me age:<2d serror``.

A query is a list of terms that must all hold; ``-`` in front turns one around; a bare word or a
"quoted phrase" is looked for in title and body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from immunos_tui.model.errors import UsageError
from immunos_tui.model.issue import Priority, Status, VerdictKind
from immunos_tui.model.text import clean, nearest, storable

IS_VALUES = (
    "open",
    "resolved",
    "new",
    "acknowledged",
    "in_progress",
    "owned",
    "unowned",
    "manual",
    "detected",
    "overdue",
)
STATUS_ALIASES = {"ack": "acknowledged", "work": "in_progress", "done": "resolved"}
VERDICT_ALIASES = {"fp": "false_positive", "tp": "threat", "dup": "duplicate", "none": "none"}
FIELD_ALIASES = {"priority": "prio", "p": "prio", "label": "tag", "s": "status", "o": "owner", "d": "domain"}
FIELDS = ("is", "status", "prio", "owner", "domain", "agent", "verdict", "tag", "project", "age", "seen", "count", "id")
ORDERED = ("prio", "age", "seen", "count", "id")
UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
SORTS = ("urgency", "id", "seen", "count", "status", "domain", "title", "owner", "age")

_TOKEN = re.compile(r'(-?)(?:([A-Za-z_]+):(?:"([^"]*)"?|(\S*))|"([^"]*)"?|(\S+))')


@dataclass(frozen=True)
class Term:
    """One condition. ``op`` is ``=`` or a comparison; ``value`` is already of its canonical form."""

    field: str
    op: str
    value: str
    negated: bool = False


def parse_query(text: str, me: str = "") -> tuple[Term, ...]:
    """The terms of a filter line.

    Args:
        me: the name that ``owner:me`` stands for.

    Raises:
        UsageError: a field or value that does not exist, with the nearest one that does.
    """
    terms: list[Term] = []
    for match in _TOKEN.finditer(storable(text)):
        minus, name, of_quoted, of_plain, quoted, plain = match.groups()
        if name is None:
            value = quoted if quoted is not None else plain
            if plain is not None and re.fullmatch(r"#\d+", plain):
                terms.append(Term("id", "=", plain[1:], bool(minus)))
            elif value:
                terms.append(Term("text", "=", value, bool(minus)))
            continue
        terms.append(_field_term(name.lower(), of_plain if of_quoted is None else of_quoted, bool(minus), me))
    return tuple(terms)


def _field_term(name: str, value: str, negated: bool, me: str) -> Term:
    field = FIELD_ALIASES.get(name, name)
    if field not in FIELDS:
        near = nearest(field, FIELDS, 0.4)
        raise UsageError(
            f"{clean(name, 40)}: is no field of the filter.",
            f"Did you mean {near[0]}:?" if near else f"There are {', '.join(FIELDS)}.",
        )
    op = "="
    compared = re.match(r"(>=|<=|>|<)", value)
    if compared:
        if field not in ORDERED:
            raise UsageError(f"{field}: cannot be compared with {compared[1]}.", f"Only {', '.join(ORDERED)} can.")
        op, value = compared[1], value[len(compared[1]) :]
    return Term(field, op, _canonical(field, value, me), negated)


def _canonical(field: str, value: str, me: str) -> str:
    low = value.lower()
    if field == "prio":
        return _choice(field, low, tuple(Priority))
    if field == "status":
        return _choice(field, STATUS_ALIASES.get(low, low), tuple(Status))
    if field == "is":
        return _choice(field, STATUS_ALIASES.get(low, low), IS_VALUES)
    if field == "verdict":
        return _choice(field, VERDICT_ALIASES.get(low, low), (*VerdictKind, "none", "any"))
    if field in ("age", "seen"):
        return str(_duration(value))
    if field in ("count", "id"):
        if not re.fullmatch(r"#?\d{1,18}", value):
            raise UsageError(f"{field}: takes a whole number, not {clean(value, 40)!r}.")
        return value.lstrip("#")
    if field == "owner":
        return {"me": me, "-": "", "none": ""}.get(low, value)
    return value


def _choice(field: str, value: str, choices: tuple[str, ...]) -> str:
    plain = [str(item) for item in choices]
    if value in plain:
        return value
    starts = [item for item in plain if value and item.startswith(value)]
    if len(starts) == 1:
        return starts[0]
    near = nearest(value, plain, 0.4)
    raise UsageError(
        f"{field}: cannot be {clean(value, 40)!r}.",
        (f"Did you mean {near[0]}? " if near else "") + f"It takes {', '.join(plain)}.",
    )


def _duration(value: str) -> int:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhdw])", value.lower())
    if not match:
        raise UsageError(f"{clean(value, 40)!r} is no length of time.", "Write it as 30m, 2h, 7d or 1w.")
    return int(float(match[1]) * UNIT_MS[match[2]])
