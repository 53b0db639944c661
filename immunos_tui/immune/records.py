"""Records of a dataset in chunks: CSV, TSV, JSON lines and plain text lines, each with its names.

Standard library only, so that a preview is cheap. The arrays are made in ``convert``.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Any, Protocol

from immunos_tui.immune.datafile import LINE_LIMIT, DataFile
from immunos_tui.immune.kinds import is_number
from immunos_tui.immune.lines import LineBlocks
from immunos_tui.immune.problems import Problems
from immunos_tui.model.errors import DataError
from immunos_tui.model.text import clean

MAX_COLUMNS = 4096
"""Columns that a dataset may have."""

TEXT_COLUMN = "text"
"""The name of the one column of a file of text lines."""


@dataclass(slots=True)
class Chunk:
    """Consecutive records. ``raw`` is the text of each; where ``delimiter`` is set, it may be split there blindly."""

    first_row: int
    raw: Sequence[str]
    delimiter: str = ""
    split: list[list[str]] | None = None

    def __len__(self) -> int:
        return len(self.raw)

    def fields(self) -> list[list[str]]:
        """The fields of each record, in the order of the names."""
        if self.split is None:
            mark = self.delimiter
            self.split = [line.split(mark) for line in self.raw] if mark else [[line] for line in self.raw]
        return self.split


class Records(Protocol):
    """A source of records: ``names`` are known at once, ``chunks`` may be read once."""

    file: DataFile
    format: str
    names: tuple[str, ...]
    problems: Problems

    def chunks(self, rows: int) -> Iterator[Chunk]: ...


class _Joined(Sequence[str]):
    """The raw text of records that a CSV reader took apart, put together again only when it is asked for."""

    def __init__(self, rows: list[list[str]], delimiter: str) -> None:
        self._rows = rows
        self._delimiter = delimiter

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        picked = self._rows[index]
        return self._delimiter.join(picked) if isinstance(index, int) else _Joined(picked, self._delimiter)


def check_names(name: str, names: Sequence[str]) -> tuple[str, ...]:
    """The column names, an empty one replaced by its place. Raises DataError for too many and for one that is twice."""
    if len(names) > MAX_COLUMNS:
        hint = "Select the columns that matter first."
        raise DataError(f"{name} has {len(names)} columns; {MAX_COLUMNS} can be read.", hint)
    full = [given.strip() or f"column_{place}" for place, given in enumerate(names, 1)]
    places: dict[str, int] = {}
    for place, column in enumerate(full, 1):
        if column in places:
            if sum(is_number(other) for other in full) * 2 > len(full):
                raise DataError(f"Line 1 of {name} looks like data.", "Put a line with column names before it.")
            twice = f"the column name {clean(column, 80)!r} twice (columns {places[column]} and {place})"
            raise DataError(f"Line 1 of {name} has {twice}.", "Give each column its own name.")
        places[column] = place
    return tuple(full)


class CsvRecords:
    """Records of a file with a header line and one delimiter.

    Lines without quotes are split directly; from the first quote on, the csv module reads. ``strict`` makes a ragged
    row a DataError; otherwise it is padded or cut and counted.
    """

    format = "csv"

    def __init__(self, file: DataFile, *, delimiter: str = "", strict: bool = True) -> None:
        csv.field_size_limit(LINE_LIMIT)
        self.file = file
        self.strict = strict
        self.problems = Problems()
        self._blocks = LineBlocks(file)
        self._source = iter(self._blocks)
        self._held, self._line, header = self._header()
        self.delimiter = delimiter or guess_delimiter(header)
        if self.delimiter == "\t":
            self.format = "tsv"
        if header.count('"') % 2:
            raise DataError(f"Line {self._line} of {file.name} opens a quote and never closes it.", "Repair it.")
        self.names = check_names(file.name, next(csv.reader([header], delimiter=self.delimiter)))
        if len(self.names) > 1 and all(is_number(given) for given in self.names):
            self.problems.add("header", f"Line {self._line} holds only numbers and was taken as the column names.")

    def _header(self) -> tuple[list[str], int, str]:
        """The rest of the first block, the header's line number and its text."""
        at = 0
        for lines in self._source:
            for index, line in enumerate(lines):
                at += 1
                if line.strip():
                    return lines[index + 1 :], at, line
        raise DataError(f"{self.file.name} is empty.", "A header line and at least one row are needed.")

    @property
    def decoded(self) -> int:
        """Lines that were decoded so far, also those that no chunk has given out yet."""
        return self._blocks.lines

    def chunks(self, rows: int) -> Iterator[Chunk]:
        held, self._held = self._held, []
        row, line = 0, self._line + 1
        for more in chain([[]], self._source):
            held += more
            if self._blocks.odd:
                yield from self._quoted(chain(held, chain.from_iterable(self._source)), row, line, rows)
                return
            # One line is always kept back: only the end of the file tells whether the last line is whole.
            while len(held) > rows:
                taken, held = held[:rows], held[rows:]
                yield self._plain(taken, row, line)
                row, line = row + len(taken), line + len(taken)
        if held:
            chunk = self._plain(held, row, line, last=True)
            if len(chunk):
                yield chunk

    def _plain(self, lines: list[str], row: int, line: int, last: bool = False) -> Chunk:
        width = len(self.names)
        marks = list(map(str.count, lines, repeat(self.delimiter)))
        if marks.count(width - 1) == len(lines):
            return Chunk(row, lines, self.delimiter)
        kept = []
        for index, mark in enumerate(marks):
            fields = lines[index].split(self.delimiter)
            end = last and index == len(lines) - 1
            if mark == width - 1 or self._fits(fields, line + index, end):
                kept.append(fields)
        return Chunk(row, _Joined(kept, self.delimiter), split=kept)

    def _quoted(self, lines: Iterator[str], row: int, line: int, rows: int) -> Iterator[Chunk]:
        reader = csv.reader((text + "\n" for text in lines), delimiter=self.delimiter)
        while True:
            taken: list[list[str]] = []
            try:
                while len(taken) < rows:
                    start = line + reader.line_num
                    fields = next(reader)
                    if len(fields) == len(self.names) or (fields and self._ragged(fields, start, reader, line)):
                        taken.append(fields)
            except StopIteration:
                if taken:
                    yield Chunk(row, _Joined(taken, self.delimiter), split=taken)
                return
            except csv.Error as error:
                where = f"Line {start} of {self.file.name}"
                raise DataError(f"{where} is not CSV: {error}.", "A quote may be open there.") from None
            yield Chunk(row, _Joined(taken, self.delimiter), split=taken)
            row += len(taken)

    def _ragged(self, fields: list[str], start: int, reader: Any, line: int) -> bool:
        """Whether a record of the csv module with the wrong number of fields is kept after all."""
        at_end = self._blocks.lines and line + reader.line_num > self._blocks.lines
        if reader.line_num + line - start > 1 and at_end:
            hint = "Close the quote, or double it inside a field."
            raise DataError(f"Line {start} of {self.file.name} opens a quote that is never closed.", hint)
        return self._fits(fields, start, bool(at_end))

    def _fits(self, fields: list[str], line: int, last: bool) -> bool:
        """Handles a record of the wrong width: False leaves it out, True keeps it, padded or cut."""
        width = len(self.names)
        found = f"{len(fields)} field{'s' * (len(fields) != 1)} where {width} are expected"
        if last and self._blocks.unterminated and len(fields) < width:
            self.problems.add("cut", f"The last line ({line}) is cut off, {found}; it was left out.")
            return False
        if self.strict:
            raise DataError(f"Line {line} of {self.file.name} has {found}.", "Repair or remove that line.")
        self.problems.add("ragged", f"Line {line} has {found}; it was padded or cut.")
        fields[width:] = []
        fields += [""] * (width - len(fields))
        return True


def guess_delimiter(header: str) -> str:
    """The delimiter of a header line: the comma where there is one, else the most frequent of ``; tab |``."""
    counts = {mark: header.count(mark) for mark in ",;\t|"}
    return "," if counts[","] or not any(counts.values()) else max(counts, key=lambda mark: counts[mark])


class LineRecords:
    """A file of text lines: one record a line, blank lines included, so that row and line number agree."""

    format = "lines"

    def __init__(self, file: DataFile, name: str = TEXT_COLUMN) -> None:
        self.file = file
        self.names: tuple[str, ...] = (name,)
        self.problems = Problems()
        self._blocks = LineBlocks(file, tolerant=True)

    @property
    def decoded(self) -> int:
        """Lines that were decoded so far."""
        return self._blocks.lines

    def chunks(self, rows: int) -> Iterator[Chunk]:
        blocks = self._blocks
        lines = chain.from_iterable(blocks)
        row = 0
        while taken := list(islice(lines, rows)):
            yield Chunk(row, taken)
            row += len(taken)
        self.problems.add("clip", "A line longer than 64 KiB was clipped.", blocks.clipped)
        self.problems.add("bytes", "Bytes that are not UTF-8 are shown as \\x..", bool(blocks.undecodable))


class JsonRecords:
    """A file of JSON objects, one a line; nested objects are flattened to ``outer.inner``.

    The names are the keys of the first block's objects; a key that comes later is counted as a problem.
    """

    format = "jsonl"

    def __init__(self, file: DataFile) -> None:
        self.file = file
        self.problems = Problems()
        self._blocks = LineBlocks(file)
        self._source = iter(self._blocks)
        self._held = next(self._source, [])
        names: dict[str, None] = {}
        for number, line in enumerate(self._held[:1000], 1):
            if line.strip():
                names.update(dict.fromkeys(self._object(line, number)))
        if not names:
            raise DataError(f"{file.name} is empty.", "One JSON object a line is needed.")
        self.names = check_names(file.name, tuple(names))

    @property
    def decoded(self) -> int:
        """Lines that were decoded so far."""
        return self._blocks.lines

    def chunks(self, rows: int) -> Iterator[Chunk]:
        lines = chain(self._held, chain.from_iterable(self._source))
        row, number = 0, 1
        while taken := list(islice(lines, rows)):
            kept = [(number + i, line) for i, line in enumerate(taken) if line and not line.isspace()]
            split = [self._fields(line, at) for at, line in kept]
            number += len(taken)
            if kept:
                yield Chunk(row, [line for _, line in kept], split=split)
            row += len(kept)

    def _fields(self, line: str, number: int) -> list[str]:
        record = self._object(line, number)
        fields = [record.pop(name, "") for name in self.names]
        if record:
            key = clean(next(iter(record)), 80)
            self.problems.add("key", f"Line {number} has the key {key!r}, which the first lines lack; it was ignored.")
        return fields

    def _object(self, line: str, number: int) -> dict[str, str]:
        where = f"Line {number} of {self.file.name}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError(f"{where} is not valid JSON.", "Write one complete object a line.") from None
        if not isinstance(value, dict):
            raise DataError(f"{where} is not a JSON object.", 'Write one object a line, such as {{"size": 1}}.')
        return flatten(value)


def flatten(record: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Values as text, nested objects under ``outer.inner``; null is the missing value ""."""
    flat: dict[str, str] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and prefix.count(".") < 8:
            flat.update(flatten(value, f"{name}."))
        elif value is None:
            flat[name] = ""
        else:
            flat[name] = value if isinstance(value, str) else json.dumps(value)
    return flat


def file_format(path: str | os.PathLike[str], head: bytes, pipeline: str = "") -> str:
    """The format of a file by its name, else by its first bytes: csv, tsv, jsonl, npz or lines.

    The pipelines for logs and text read ``.txt`` and unknown names as lines.
    """
    name = os.fspath(path).lower().removesuffix(".gz")
    suffix = os.path.splitext(name)[1]
    known = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".log": "lines"}
    if suffix == ".npz" or head.startswith(b"PK\x03\x04"):
        return "npz"
    if suffix in known:
        return known[suffix]
    start = head.lstrip()[:1]
    if suffix == ".json" or (start == b"{" and b"}" in head):
        return "jsonl"
    if pipeline in ("tabular", "network", "") and _looks_like_table(head):
        return "csv"
    return "lines"


def _looks_like_table(head: bytes) -> bool:
    """The same number of delimiters, at least two, on each of the first lines."""
    lines = head.decode("utf-8", "replace").split("\n")[:-1][:20]
    if len(lines) < 2:
        return False
    mark = guess_delimiter(lines[0])
    counts = {line.count(mark) for line in lines}
    return len(counts) == 1 and counts.pop() >= 2
