"""Opens a dataset of any format as records; the one place that chooses the reader. Standard library only."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterable, Iterator
from typing import Protocol

from immunos_tui.immune.datafile import DataFile, shown
from immunos_tui.immune.folder import FolderRecords
from immunos_tui.immune.npzfile import NpzChunk, NpzRecords
from immunos_tui.immune.problems import Problems
from immunos_tui.immune.records import Chunk, CsvRecords, JsonRecords, LineRecords, file_format
from immunos_tui.model.errors import DataError
from immunos_tui.model.text import clean

FORMATS = ("csv", "tsv", "jsonl", "npz", "lines", "folder")


class Source(Protocol):
    """What every reader offers: the column names, the records in chunks, and what was wrong with them."""

    @property
    def format(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def problems(self) -> Problems: ...
    def chunks(self, rows: int) -> Iterator[Chunk] | Iterator[NpzChunk]: ...


class OpenSource:
    """An open dataset: its reader, and how far the file on disk has been read.

    Use it in a ``with`` statement. ``strict`` makes a ragged row of a table a DataError.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        pipeline: str = "",
        format: str = "",
        strict: bool = True,
        digest: bool = False,
    ) -> None:
        self.path = path
        self.file: DataFile | None = None
        self._folder: FolderRecords | None = None
        self.records: Source
        if os.path.isdir(path) and pipeline in ("code", ""):
            self._folder = FolderRecords(path)
            self.records = self._folder
            return
        self.file = DataFile(path, digest=digest)
        try:
            self.records = _reader(self.file, pipeline, format, strict)
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> OpenSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.file is not None:
            with contextlib.suppress(OSError):
                self.file.close()

    @property
    def bytes_total(self) -> int:
        """Bytes on disk, compressed ones where the file is."""
        part = self.file or self._folder
        return part.size if part is not None else 0

    @property
    def bytes_done(self) -> int:
        if isinstance(self.records, NpzRecords | FolderRecords):
            return self.records.position
        return self.file.position if self.file is not None else 0

    @property
    def fraction(self) -> float:
        total = self.bytes_total
        return min(1.0, self.bytes_done / total) if total else 1.0

    def changed(self) -> str:
        """A sentence when the file changed since it was opened, else ""."""
        return self.file.changed() if self.file is not None else ""


def _reader(file: DataFile, pipeline: str, format: str, strict: bool) -> Source:
    if file.size == 0 and not file.head(1):
        raise DataError(f"{file.name} is empty.", "A header line and at least one row are needed.")
    chosen = format or file_format(file.path, file.head(), pipeline)
    if chosen == "npz":
        return NpzRecords(file)
    if chosen == "jsonl":
        return JsonRecords(file)
    if chosen == "lines":
        return LineRecords(file)
    return CsvRecords(file, delimiter="\t" if chosen == "tsv" else "", strict=strict)


def nearest(wanted: str, names: Iterable[str]) -> str:
    """A hint that lists the names closest to a wanted one, or all of them where none is close."""
    known = [str(name) for name in names]
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name.lower(), name)
    close = [folded[near] for near in difflib.get_close_matches(wanted.lower(), folded, n=3, cutoff=0.5)]
    if close:
        return f"Did you mean {' or '.join(repr(clean(name, 80)) for name in close)}?"
    listed = ", ".join(clean(name, 40) for name in known[:12])
    return f"There is {listed}{' and more' if len(known) > 12 else ''}."


def place(path: str | os.PathLike[str]) -> str:
    """The path as harmless text for a message."""
    return shown(path)
