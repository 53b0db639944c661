"""A quick look at a dataset before it is trained on: columns, label candidates, problems. Never imports numpy."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise

from immunos_tui.immune.kinds import Tally, Words, is_marker, number
from immunos_tui.immune.npzfile import NpzRecords
from immunos_tui.immune.problems import Problems
from immunos_tui.immune.source import OpenSource, place
from immunos_tui.model.dataset import ColumnPreview, DatasetPreview, LabelCandidate
from immunos_tui.model.errors import DataError
from immunos_tui.model.text import clean

LABEL_NAMES = ("label", "class", "target", "is_attack", "attack", "anomaly", "outlier", "y", "type", "category", "tag")
"""Names that a label column often has, most telling first."""

_SELF_WORDS = ("normal", "benign", "self", "ham", "legitimate", "legit", "safe", "clean", "good", "truthful", "support")
SELF_VALUES = (*_SELF_WORDS, "ok", "neutral", "negative", "false", "no", "0", "0.0", "-")
"""Label values that often mean self, most telling first."""

LABEL_LIMIT = 50
"""Different values that a label column may have."""

_TEXT_BYTES = 64 << 20
_CHUNK = 4096
_COUNTED = 8
"""Times the row limit that rows are still counted, so that most files' number of rows is exact."""

_EXAMPLE = 60


@dataclass(slots=True)
class _Seen:
    """One column of the rows that were read."""

    name: str
    values: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    words: Words = field(default_factory=Words)
    floats: list[float] = field(default_factory=list)

    def sum_up(self) -> None:
        self.words.update(self.values)
        try:
            self.floats = list(map(float, self.values))
            self.tally.numbers = len(self.floats) - sum(map(math.isnan, self.floats))
            self.tally.missing = len(self.floats) - self.tally.numbers
            self.tally.infinite = sum(map(math.isinf, self.floats))
        except ValueError:
            if self._may_be_numbers():
                self.floats = self.tally.slow(self.values, 0)

    def _may_be_numbers(self) -> bool:
        """Whether some of the first values read as numbers, so that reading all of them is worth while."""
        first = [value for value in self.values[:2000] if not is_marker(value)]
        bad = sum(number(value) is None for value in first)
        return bad * 10 <= len(first) or not first

    @property
    def kind(self) -> str:
        return "number" if self.tally.mostly_numbers else self.words.kind()

    def preview(self) -> ColumnPreview:
        distinct, exact = self.words.distinct, not self.words.saturated
        example = next((value for value in self.values if value), "")
        column = ColumnPreview(
            clean(self.name, 120), self.kind, self.words.empty, distinct, exact, clean(example, _EXAMPLE)
        )
        if self.kind != "number":
            return column
        present = [value for value in self.floats if math.isfinite(value)]
        dates = self.tally.dates > self.tally.numbers
        low, high = (_shown(bound(present), dates) if present else "" for bound in (min, max))
        return replace(column, missing=self.tally.missing, lowest=low, highest=high, note="dates" if dates else "")


def _shown(value: float, dates: bool) -> str:
    if dates:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{value:.6g}"


def preview(
    path: str | os.PathLike[str], limit_rows: int = 20_000, *, pipeline: str = "", format: str = ""
) -> DatasetPreview:
    """What the first ``limit_rows`` rows of a file or folder hold, with a suggestion for the label and self value.

    Faults in those rows are named as problems where they can be lived with. Raises NotFoundError and DataError as
    ``read_dataset`` does.
    """
    with OpenSource(path, pipeline=pipeline, format=format, strict=False) as source:
        problems = Problems()
        columns, rows, counted, done = _read(source, limit_rows, problems)
        for sentence in source.records.problems.sentences():
            problems.add(sentence, sentence)
        total = _total_rows(source, counted, done)
        size, kind = source.bytes_total, source.records.format
        problems.add("changed", source.changed())
    if rows == 0:
        raise DataError(f"{place(path)} has a header and no rows.", "At least one row is needed.")
    for column in columns:
        column.sum_up()
    labels = _labels(columns) if len(columns) > 1 else ()
    label = labels[0] if labels else LabelCandidate("", ())
    drop = _leaks(columns, label.column) + _counters(columns, label.column)
    _note(columns, rows, drop, labels, problems)
    return DatasetPreview(
        path=place(path),
        format=kind,
        bytes=size,
        rows=total,
        rows_exact=done,
        rows_read=rows,
        columns=tuple(column.preview() for column in columns),
        labels=labels,
        label=label.column,
        self_value=label.self_value,
        drop=drop,
        problems=problems.sentences(),
    )


def _read(source: OpenSource, limit: int, problems: Problems) -> tuple[list[_Seen], int, int, bool]:
    """The columns of the first rows, how many rows those are, how many were counted, and whether that was all."""
    columns = [_Seen(name) for name in source.records.names]
    rows = counted = size = 0
    try:
        for chunk in source.records.chunks(min(_CHUNK, limit)):
            counted += len(chunk)
            if rows < limit and size < _TEXT_BYTES:
                fields = chunk.fields()[: limit - rows]
                for column, values in zip(columns, zip(*fields, strict=True), strict=True):
                    column.values.extend(values)
                    size += sum(map(len, values))
                rows += len(fields)
            elif counted > _COUNTED * limit:
                return columns, rows, counted, False
    except DataError as error:
        if rows < limit:
            raise
        problems.add("later", error.message)
        return columns, rows, counted, False
    return columns, rows, counted, True


def _total_rows(source: OpenSource, rows: int, done: bool) -> int:
    """All rows: those read, those that the header of an array promises, or an estimate by the bytes read so far."""
    if done or not rows:
        return rows
    if isinstance(source.records, NpzRecords):
        return source.records.rows
    lines = max(rows, getattr(source.records, "decoded", rows))
    return max(rows, round(lines * source.bytes_total / max(1, source.bytes_done)))


def _labels(columns: Sequence[_Seen]) -> tuple[LabelCandidate, ...]:
    """Columns that may be the label, the likeliest first: by name, by a value that means self, and by place."""
    ranked = []
    for index, column in enumerate(columns):
        counts = column.words.counts
        repeated = column.words.distinct * 2 <= column.words.rows or column.words.rows < 8
        if column.words.saturated or not 2 <= column.words.distinct <= LABEL_LIMIT or not repeated:
            continue
        own = _self_value(counts)
        rank = _label_rank(column.name, own, last=index == len(columns) - 1, numeric=column.kind == "number")
        if rank is not None:
            values = tuple((clean(value, 80), count) for value, count in counts.most_common())
            ranked.append((rank, index, LabelCandidate(clean(column.name, 120), values, clean(own, 80))))
    return tuple(candidate for _, _, candidate in sorted(ranked, key=lambda item: item[:2])[:5])


def _self_value(counts: Counter[str]) -> str:
    folded: dict[str, str] = {}
    for value in counts:
        folded.setdefault(value.strip().lower(), value)
    return next((folded[value] for value in SELF_VALUES if value in folded), "")


def _label_rank(name: str, own: str, *, last: bool, numeric: bool) -> tuple[int, int] | None:
    """A sort key for a label candidate, smaller is likelier; None where nothing speaks for it."""
    lower = name.strip().lower()
    named = LABEL_NAMES.index(lower) if lower in LABEL_NAMES else None
    telling = own.strip().lower() in _SELF_WORDS
    if named is not None:
        return (0 if own else 1, named)
    if telling:
        return (2, 0)
    return (3, 0) if last and not numeric else None


def _leaks(columns: Sequence[_Seen], label: str) -> tuple[str, ...]:
    """Columns whose every value goes with one label only, and comes back: they give the label away."""
    target = next((column for column in columns if clean(column.name, 120) == label), None)
    if target is None:
        return ()
    found = []
    for column in columns:
        distinct = column.words.distinct
        if column is target or column.words.saturated or not 2 <= distinct <= len(target.values) / 5:
            continue
        if len(set(zip(column.values, target.values, strict=True))) == len(column.words.counts):
            found.append(clean(column.name, 120))
    return tuple(found)


def _counters(columns: Sequence[_Seen], label: str) -> tuple[str, ...]:
    """Number columns that only count up with the rows, such as line numbers and ids."""
    found = []
    for column in columns:
        values = column.floats
        if column.kind != "number" or len(values) < 20 or column.tally.missing or column.name == label:
            continue
        if all(later - earlier == 1 for earlier, later in pairwise(values)):
            found.append(clean(column.name, 120))
    return tuple(found)


def _note(
    columns: Sequence[_Seen],
    rows: int,
    drop: Sequence[str],
    labels: Sequence[LabelCandidate],
    problems: Problems,
) -> None:
    if rows == 1:
        problems.add("one", "There is only one row; a detector needs more to know what is usual.")
    for column in columns:
        name = clean(column.name, 80)
        if column.tally.mostly_numbers and column.tally.bad:
            first = f"{clean(column.tally.bad_text, 40)!r} in row {column.tally.bad_row + 1}"
            problems.add(name, f"Column {name!r} has values that are no numbers, first {first}.", column.tally.bad)
        if column.tally.infinite:
            problems.add(f"inf {name}", f"Column {name!r} has infinite values.", column.tally.infinite)
    still = [clean(column.name, 40) for column in columns if rows > 1 and len(column.words.counts) == 1]
    if still:
        listed = ", ".join(still[:6]) + (" and more" if len(still) > 6 else "")
        problems.add("constant", f"Columns with one value throughout: {listed}.")
    if drop:
        why = f"give the label {labels[0].column!r} away or only count rows" if labels else "only count rows"
        problems.add("drop", f"Better dropped, they {why}: {', '.join(drop[:6])}.")
