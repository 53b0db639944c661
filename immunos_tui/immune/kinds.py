"""What kind of values a column holds, found from its text: numbers (also dates), categories or free text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

MARKERS = frozenset({"", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "?", "#n/a", "missing"})
"""Texts that stand for a missing value, in lower case, and only in a column that otherwise holds numbers."""

DISTINCT_LIMIT = 2000
"""Different values that are counted before counting stops; a column with more is text."""

BAD_SHARE = 0.01
"""The share of unreadable values up to which a column is still one of numbers."""

_DATE_LENGTHS = range(8, 36)


def number(text: str) -> float | None:
    """The number that a text stands for: a float, or a date as seconds since 1970 in UTC; None for neither.

    ``nan`` is a number here and means missing.
    """
    try:
        return float(text)
    except ValueError:
        return seconds(text)


def seconds(text: str) -> float | None:
    """Seconds since 1970 of a date or time stamp that begins with year, month and day; UTC where no zone is given."""
    text = text.strip()
    if len(text) not in _DATE_LENGTHS or text[4] not in "-/" or not text[:4].isdigit():
        return None
    try:
        moment = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def is_number(text: str) -> bool:
    return number(text) is not None


def is_marker(text: str) -> bool:
    """Whether a text stands for a missing value in a column of numbers."""
    return text.strip().lower() in MARKERS


class Tally:
    """How many values of a column were numbers, dates, missing, or neither."""

    __slots__ = ("bad", "bad_row", "bad_text", "dates", "infinite", "missing", "numbers")

    def __init__(self) -> None:
        self.numbers = self.dates = self.missing = self.infinite = self.bad = 0
        self.bad_row = -1
        self.bad_text = ""

    @property
    def mostly_numbers(self) -> bool:
        """Whether the column counts as numbers: there are some, and at most one value in a hundred is unreadable."""
        good = self.numbers + self.dates
        return good > 0 and self.bad <= BAD_SHARE * (good + self.bad)

    def slow(self, values: Iterable[str], first_row: int) -> list[float]:
        """The values as floats, NaN where missing or unreadable; counts each."""
        out = []
        for place, text in enumerate(values):
            value = None if is_marker(text) else number(text)
            if value is None and not is_marker(text):
                self.bad += 1
                if self.bad_row < 0:
                    self.bad_row, self.bad_text = first_row + place, text
            elif value is None or math.isnan(value):
                self.missing += 1
            elif text[4:5] in ("-", "/") and not _plain_float(text):
                self.dates += 1
            else:
                self.numbers += 1
                self.infinite += math.isinf(value)
            out.append(math.nan if value is None else value)
        return out


def _plain_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class Words:
    """The values of a column as text: which and how many, until there are too many to count."""

    __slots__ = ("counts", "empty", "length", "rows", "saturated", "spaced")

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.rows = self.empty = self.length = self.spaced = 0
        self.saturated = False

    def update(self, values: Sequence[str]) -> None:
        self.rows += len(values)
        self.length += sum(map(len, values))
        self.empty += values.count("")
        self.spaced += sum(" " in value for value in values[:200])
        if not self.saturated:
            self.counts.update(values)
            self.saturated = len(self.counts) > DISTINCT_LIMIT

    @property
    def distinct(self) -> int:
        return len(self.counts) - ("" in self.counts)

    def kind(self) -> str:
        """``category`` where values come back, ``text`` where most are new or long."""
        filled = self.rows - self.empty
        if filled == 0:
            return "category"
        if self.saturated or self.length > 64 * filled:
            return "text"
        if filled < 40:
            return "text" if self.spaced * 2 > filled and self.distinct * 2 > filled else "category"
        return "category" if self.distinct <= max(20, 0.2 * filled) else "text"
