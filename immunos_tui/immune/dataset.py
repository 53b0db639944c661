"""Reads a whole dataset for training or evaluation: columns with inferred kinds, and which rows are self."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.convert import AnyChunk, Converter, numbers
from immunos_tui.immune.datafile import Progress, sha256_file
from immunos_tui.immune.kinds import Tally, Words
from immunos_tui.immune.npzfile import NpzRecords
from immunos_tui.immune.problems import Problems
from immunos_tui.immune.source import OpenSource, nearest, place
from immunos_tui.immune.stream import unreadable, words_array
from immunos_tui.immune.table import Column, Kind, Table
from immunos_tui.model.errors import DataError, UsageError
from immunos_tui.model.text import clean

CHUNK_ROWS = 8192

TEXT_PIPELINES = frozenset({"text", "logs", "code", "emotion", "hallucination", "research"})
"""Pipelines that learn from one text column; all others learn from every column."""

TEXT_NAMES = ("text", "message", "content", "line", "log", "sentence", "sequence", "answer", "claim", "code", "body")
"""Names that a text column often has, most telling first."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset in memory.

    ``table`` holds the columns to learn from and ``columns`` their names and kinds; ``is_self`` is (n,) bool.
    ``labels`` is (n,) text where a label was named. ``context`` holds the other columns, for group and time splits.
    ``row_numbers`` is (n,) int64: the place of each row among the file's records, from 0. ``embedding`` says which model made the
    dense vectors of the texts, where the table has them.
    """

    path: str
    format: str
    table: Table
    is_self: NDArray[np.bool_]
    sha256: str
    problems: tuple[str, ...] = ()
    labels: NDArray[Any] | None = None
    label: str = ""
    self_value: str = ""
    context: Table = field(default_factory=lambda: Table(()))
    row_numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    embedding: Mapping[str, Any] = field(default_factory=dict)

    def take(self, rows: NDArray[np.int64]) -> Dataset:
        """The same dataset with the rows at ``rows`` only."""
        return replace(
            self,
            table=self.table.take(rows),
            is_self=self.is_self[rows],
            labels=None if self.labels is None else self.labels[rows],
            context=self.context.take(rows) if self.context.columns else self.context,
            row_numbers=self.row_numbers[rows] if len(self.row_numbers) else self.row_numbers,
        )

    @property
    def rows(self) -> int:
        return len(self.is_self)

    @property
    def columns(self) -> tuple[tuple[str, Kind], ...]:
        return tuple((column.name, column.kind) for column in self.table.columns)


def read_dataset(
    path: str | os.PathLike[str],
    *,
    label: str | None = None,
    self_value: str | None = None,
    drop: Iterable[str] = (),
    pipeline: str = "tabular",
    text: str | None = None,
    format: str = "",
    progress: Progress | None = None,
) -> Dataset:
    """Reads CSV, TSV, JSON lines (each also gzipped), NPZ, text lines, or a folder of source files (pipeline ``code``).

    ``label`` names the column that tells self (``self_value``, or several values with commas between) from the rest; without it every
    row is self. An NPZ file
    with ``y`` takes it as the label and 0 as self. Values are read as text first: "None", "NA" and "True" stay text
    in a text column and are missing only in a column of numbers; a date becomes seconds since 1970.

    Raises NotFoundError for a missing path, UsageError for a column or self value that does not exist, DataError for
    content that cannot be read as what it claims to be.
    """
    gather = _Gather(path, pipeline=pipeline, format=format, progress=progress)
    names = gather.names
    if label is None and gather.format == "npz" and "y" in names and len(names) > 1:
        label, self_value = "y", self_value if self_value is not None else "0"
    dropped = list(drop)
    for wanted in [*([label] if label else []), *dropped, *([text] if text else [])]:
        _known(wanted, names, path)
    columns, digest, problems = gather.read({label} if label else set())
    chosen = _features(columns, label, dropped, pipeline, text, problems)
    labels = next((column.values for column in columns if column.name == label), None)
    if labels is None:
        is_self = kept = np.ones(len(columns[0]), dtype=bool)
    else:
        is_self, kept = _self_rows(labels, label or "", self_value, path, problems)
    features = tuple(column for column in columns if column.name in chosen)
    context = tuple(column for column in columns if column.name not in chosen and column.name != label)
    table = Table(features)
    _note_columns(table, problems)
    rows = np.flatnonzero(kept)
    whole = len(rows) == len(kept)
    return Dataset(
        path=os.fspath(path),
        format=gather.format,
        table=table if whole else table.take(rows),
        is_self=is_self[rows],
        sha256=digest,
        problems=problems.sentences(),
        labels=None if labels is None else labels[rows],
        label=label or "",
        self_value=self_value or "" if label else "",
        context=Table(context) if whole else Table(context).take(rows),
        row_numbers=rows.astype(np.int64),
    )


def _known(wanted: str, names: Sequence[str], path: str | os.PathLike[str]) -> None:
    if wanted not in names:
        raise UsageError(f"{place(path)} has no column {clean(wanted, 80)!r}.", nearest(wanted, names))


class _Gather:
    """Reads all columns of a dataset. A column that the first chunk took for numbers and that turns out to hold text
    is read again as text; that second pass is rare."""

    def __init__(self, path: str | os.PathLike[str], *, pipeline: str, format: str, progress: Progress | None) -> None:
        self.path = path
        self._pipeline = pipeline
        self._asked = format
        self._progress = progress
        with self._open() as source:
            self.names = source.records.names
            self.format = source.records.format

    def _open(self, digest: bool = False) -> OpenSource:
        return OpenSource(self.path, pipeline=self._pipeline, format=self._asked, digest=digest)

    def read(self, words: set[str]) -> tuple[list[Column], str, Problems]:
        """All columns, the file's hash and the problems; the columns in ``words`` stay text."""
        problems = Problems()
        kinds, found, tallies, digest = self._pass(words, problems)
        late = {name for name, tally in tallies.items() if not tally.mostly_numbers and tally.bad}
        if late:
            kinds, found, tallies, digest = self._pass(words | late, problems)
        columns = []
        for name in self.names:
            if kinds[name] == "number":
                values = np.concatenate(found[name])
                tally = tallies[name]
                problems.add(f"bad {name}", unreadable(name, tally.bad, tally.bad_text, tally.bad_row))
                _note_infinite(name, tally, problems)
                columns.append(Column(name, "number", values))
            else:
                columns.append(_word_column(name, found[name], name in words, problems))
        return columns, digest, problems

    def _pass(
        self, words: set[str], problems: Problems
    ) -> tuple[dict[str, Kind], dict[str, list[Any]], dict[str, Tally], str]:
        with self._open(digest=True) as source:
            found: dict[str, list[Any]] = {name: [] for name in self.names}
            pools: dict[str, dict[str, str]] = {name: {} for name in self.names}
            converter, rows = None, 0
            for chunk in source.records.chunks(CHUNK_ROWS):
                if converter is None:
                    converter = Converter(self.names, _first_kinds(chunk, self.names, words))
                part = converter.convert(chunk)
                for name, array in part.numbers.items():
                    found[name].append(array)
                for name, values in part.words.items():
                    found[name].append([pools[name].setdefault(value, value) for value in values])
                rows += len(chunk)
                if self._progress is not None:
                    self._progress("read", source.fraction, f"{rows} rows")
            if converter is None:
                raise DataError(f"{place(self.path)} has a header and no rows.", "At least one row is needed.")
            for sentence in (*source.records.problems.sentences(), source.changed()):
                problems.add(sentence, sentence, not _has(problems, sentence))
            digest = self._digest(source)
        kinds: dict[str, Kind] = {name: "number" if name in converter.tallies else "text" for name in self.names}
        return kinds, found, converter.tallies, digest

    def _digest(self, source: OpenSource) -> str:
        if source.file is None or isinstance(source.records, NpzRecords):
            return sha256_file(self.path)
        source.file.finish()
        return source.file.sha256


def _has(problems: Problems, sentence: str) -> bool:
    return any(known.startswith(sentence) for known in problems.sentences())


def _first_kinds(chunk: AnyChunk, names: Sequence[str], words: set[str]) -> dict[str, Kind]:
    """Provisional kinds from the first chunk: number where its values are mostly numbers."""
    kinds: dict[str, Kind] = {}
    for name, values in zip(names, zip(*chunk.fields(), strict=True), strict=True):
        tally = Tally()
        if name not in words:
            numbers(values, tally)
        kinds[name] = "number" if tally.mostly_numbers else "text"
    return kinds


def _word_column(name: str, parts: list[list[str]], forced: bool, problems: Problems) -> Column:
    """A column of text: a category where values come back; numbers after all where the first rows were empty."""
    words = Words()
    values = [value for part in parts for value in part]
    words.update(values)
    if not forced and not words.saturated:
        tally = Tally()
        tally.slow(words.counts.elements(), 0)
        if tally.mostly_numbers:
            tally = Tally()
            array = numbers(values, tally)
            problems.add(f"bad {name}", unreadable(name, tally.bad, tally.bad_text, tally.bad_row))
            return Column(name, "number", array)
    kind: Kind = "text" if words.kind() == "text" else "category"
    return Column(name, kind, words_array(values))


def _features(
    columns: Sequence[Column],
    label: str | None,
    dropped: Sequence[str],
    pipeline: str,
    text: str | None,
    problems: Problems,
) -> set[str]:
    """The names of the columns to learn from."""
    left = [column for column in columns if column.name != label and column.name not in dropped]
    if not left:
        raise UsageError("No column is left to learn from.", "Drop fewer columns.")
    if pipeline not in TEXT_PIPELINES:
        return {column.name for column in left}
    if text is not None:
        return {text}
    words = [column for column in left if column.kind != "number"]
    if not words:
        raise UsageError(f"The {pipeline} pipeline needs a text column and there is none.", "Name one as text.")
    best = max(words, key=lambda column: (_is_texty(column), _telling(column.name), _mean_length(column)))
    if len(words) > 1:
        problems.add("text", f"The text is read from the column {clean(best.name, 80)!r}.")
    return {best.name}


def _is_texty(column: Column) -> bool:
    return column.kind == "text" and _mean_length(column) > 8


def _telling(name: str) -> int:
    lower = name.lower()
    return -TEXT_NAMES.index(lower) if lower in TEXT_NAMES else -len(TEXT_NAMES)


def _mean_length(column: Column) -> float:
    sample = column.values[:2000]
    return sum(map(len, sample)) / max(1, len(sample))


def _self_rows(
    labels: NDArray[Any],
    label: str,
    self_value: str | None,
    path: str | os.PathLike[str],
    problems: Problems,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows are self, and which have a label at all. Raises UsageError for a self value that no row has."""
    counts = dict(zip(*np.unique(labels.astype(str), return_counts=True), strict=True))
    if self_value is None:
        hint = f"Say which of its values is self: {_listed(counts)}."
        raise UsageError(f"The label column {clean(label, 80)!r} needs a self value.", hint)
    is_self, missing = _own_rows(labels, self_value)
    if missing is not None:
        known = sorted(counts, key=lambda value: -counts[value])
        where = f"No row of {place(path)} has {clean(missing, 80)!r} in the column {clean(label, 80)!r}."
        raise UsageError(where, f"{nearest(missing, known)} Its values are {_listed(counts)}.")
    kept = labels != ""
    problems.add("unlabelled", f"Rows without a value in {clean(label, 80)!r} were left out.", int((~kept).sum()))
    if is_self[kept].all():
        problems.add("all self", f"Every row is {clean(self_value, 80)!r}: without other rows no accuracy can be told.")
    return is_self.astype(bool), kept.astype(bool)


def _own_rows(labels: NDArray[Any], self_value: str) -> tuple[NDArray[np.bool_], str | None]:
    """Rows that have the self value, or else one of several with commas between; and the first of them that no row has."""
    own = _rows_with(labels, self_value)
    if own.any():
        return own, None
    parts = [part.strip() for part in self_value.split(",") if part.strip()] or [self_value]
    found = [np.asarray(labels == part) for part in parts]
    missing = next((part for part, rows in zip(parts, found, strict=True) if not rows.any()), None)
    return np.logical_or.reduce(found), missing


def _rows_with(labels: NDArray[Any], value: str) -> NDArray[np.bool_]:
    """Rows that have a value in the label column, or the same number in other words."""
    found = np.asarray(labels == value)
    return found if found.any() else _same_number(labels, value)


def _same_number(labels: NDArray[Any], self_value: str) -> NDArray[np.bool_]:
    """Rows whose label is the same number as the self value: 0 and 0.0 are one."""
    try:
        wanted = float(self_value)
    except ValueError:
        return np.zeros(len(labels), dtype=bool)
    return np.asarray(numbers(list(labels), Tally()) == wanted)


def _listed(counts: dict[Any, Any]) -> str:
    order = sorted(counts, key=lambda value: (-counts[value], value))[:8]
    more = " and more" if len(counts) > 8 else ""
    return ", ".join(f"{clean(value, 40)!r} ({counts[value]})" for value in order) + more


def _note_infinite(name: str, tally: Tally, problems: Problems) -> None:
    if tally.infinite:
        many = f"{tally.infinite} infinite value{'s' * (tally.infinite > 1)}"
        problems.add(f"inf {name}", f"Column {clean(name, 80)!r} has {many}.")


def _note_columns(table: Table, problems: Problems) -> None:
    """Says that there is one row only, or that columns never change."""
    if table.rows == 1:
        problems.add("one", "There is only one row; a detector needs more to know what is usual.")
        return
    still = [clean(column.name, 40) for column in table.columns if _constant(column)]
    if still:
        listed = ", ".join(still[:6]) + (" and more" if len(still) > 6 else "")
        problems.add("constant", f"Columns with one value throughout: {listed}.")


def _constant(column: Column) -> bool:
    values = column.values
    if column.kind == "number":
        present = values[~np.isnan(values)]
        return len(present) == 0 or bool((present == present[0]).all())
    return len(values) > 0 and bool((values == values[0]).all())
