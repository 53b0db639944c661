"""A dataset of any size in batches of constant memory, with the columns and kinds that training fixed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from immunos_tui.immune.convert import AnyChunk, Converter, Kinds
from immunos_tui.immune.problems import Problems
from immunos_tui.immune.records import LineRecords
from immunos_tui.immune.source import OpenSource, nearest, place
from immunos_tui.immune.table import Column, Kind, Table
from immunos_tui.model.errors import DataError
from immunos_tui.model.text import clean, cut

SAMPLE_LIMIT = 2000
"""Characters of a row's raw text that a sample keeps."""


class Samples(Sequence[str]):
    """The raw text of each row of a batch, made and clipped only when it is asked for."""

    def __init__(self, raw: Sequence[str], limit: int = SAMPLE_LIMIT) -> None:
        self._raw = raw
        self._limit = limit

    def __len__(self) -> int:
        return len(self._raw)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [cut(text, self._limit) for text in self._raw[index]]
        return cut(self._raw[index], self._limit)


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows: ``table`` has exactly the wanted columns, ``samples`` the raw text of each row.

    ``origins`` says where each row of a folder is (``src/a.py:load``); it is empty for a file. ``lines`` is true where
    row ``i`` of the file is its line ``i + 1``.
    """

    first_row: int
    table: Table
    samples: Sequence[str]
    bytes_done: int
    bytes_total: int
    origins: Sequence[str] = field(default_factory=tuple)

    @property
    def rows(self) -> int:
        return len(self.samples)


class Stream(Iterator[Batch]):
    """Iterates over the batches of a file or folder.

    ``problems`` and ``rows`` grow while it is read and are complete at the end; then ``problems`` also says whether
    the file changed meanwhile.
    """

    def __init__(self, source: OpenSource, kinds: Mapping[str, Kind], batch_rows: int) -> None:
        self.rows = 0
        self._source = source
        self._kinds = kinds
        self._problems = Problems()
        names = source.records.names
        if isinstance(source.records, LineRecords) and len(kinds) == 1:
            names = tuple(kinds)
        self._names = names
        self._refuse_missing()
        self._converter = Converter(names, kinds)
        self._chunks: Iterator[AnyChunk] = iter(source.records.chunks(batch_rows))
        extra = [name for name in names if name not in kinds]
        if extra and source.file is not None:
            listed = ", ".join(clean(name, 40) for name in extra[:6])
            more = " and more" if len(extra) > 6 else ""
            self._problems.add("extra", f"Columns that training did not have were ignored: {listed}{more}.")

    def _refuse_missing(self) -> None:
        missing = [name for name in self._kinds if name not in self._names]
        if missing:
            listed = ", ".join(repr(clean(name, 80)) for name in missing[:5])
            many = f"the columns {listed}" if len(missing) > 1 else f"the column {listed}"
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            sentence = f"{place(self._source.path)} lacks {many}{more} that training had."
            raise DataError(sentence, nearest(missing[0], self._names))

    def __next__(self) -> Batch:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._problems.add("changed", self._source.changed())
            self._source.close()
            raise
        except BaseException:
            self._source.close()
            raise
        self.rows += len(chunk)
        done, total = self._source.bytes_done, self._source.bytes_total
        return Batch(chunk.first_row, self._table(chunk), Samples(chunk.raw), done, total, self._origins(chunk))

    def close(self) -> None:
        """Closes the file before its end; not needed after the last batch."""
        self._source.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong and yet read, one sentence each."""
        unread = Problems()
        for name, tally in self._converter.tallies.items():
            unread.add(name, unreadable(name, tally.bad, tally.bad_text, tally.bad_row))
        return self._source.records.problems.sentences() + self._problems.sentences() + unread.sentences()

    def _table(self, chunk: AnyChunk) -> Table:
        found = self._converter.convert(chunk)
        columns = []
        for name, kind in self._kinds.items():
            if kind == "number":
                columns.append(Column(name, kind, found.numbers[name]))
            else:
                columns.append(Column(name, kind, words_array(found.words[name])))
        return Table(tuple(columns))

    def _origins(self, chunk: AnyChunk) -> Sequence[str]:
        if self._source.file is not None:
            return ()
        return [f"{path}:{name}" if name else path for path, name, *_ in chunk.fields()]


def words_array(values: Sequence[str]) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Texts as an (n,) object array."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def unreadable(name: str, count: int, text: str, row: int) -> str:
    """The sentence for values of a number column that are no numbers; "" when there are none."""
    if not count:
        return ""
    many = f"{count} values that are no numbers" if count > 1 else "a value that is no number"
    first = f"{'first ' if count > 1 else ''}{clean(text, 40)!r} in row {row + 1}"
    return f"Column {clean(name, 80)!r} has {many} ({first}); taken as missing."


def stream(
    path: str | os.PathLike[str],
    *,
    columns: Kinds,
    batch_rows: int = 8192,
    pipeline: str = "tabular",
    format: str = "",
    strict: bool = True,
) -> Stream:
    """The rows of a file or folder in batches of at most ``batch_rows``, in constant memory.

    ``columns`` are the training columns with their kinds, a mapping or pairs, such as ``Dataset.columns``: they are
    matched by name, in any order, and keep their kind in every batch. An unreadable number is NaN and is counted.
    A file of text lines serves any single text column. With ``strict`` false a ragged row is padded and counted.
    Raises NotFoundError or DataError at once for a file that cannot be opened or lacks a column, and DataError while
    iterating for a fault further on.
    """
    kinds: dict[str, Kind] = dict(columns)
    if batch_rows < 1:
        raise ValueError("batch_rows must be at least 1")
    source = OpenSource(path, pipeline=pipeline, format=format, strict=strict)
    try:
        return Stream(source, kinds, batch_rows)
    except BaseException:
        source.close()
        raise
