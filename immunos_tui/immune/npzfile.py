"""Arrays of an ``.npz`` file as records, in blocks of rows and without numpy: a preview must stay cheap.

The format is numpy's: a zip archive of ``.npy`` members, each a short header and raw values. Nothing is unpickled.
"""

from __future__ import annotations

import ast
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import prod
from typing import IO, Any

from immunos_tui.immune.datafile import DataFile
from immunos_tui.immune.problems import Problems
from immunos_tui.immune.records import check_names
from immunos_tui.model.errors import DataError
from immunos_tui.model.text import clean

_FORMATS = {"f2": "e", "f4": "f", "f8": "d", "b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q"}
_FORMATS |= {"u1": "B", "u2": "H", "u4": "I", "u8": "Q"}
_NAME_ARRAYS = ("feature_names", "columns", "names")
_HEADER_LIMIT = 1 << 16


@dataclass(slots=True)
class Member:
    """One array of the archive: ``dtype`` as numpy writes it (``<f4``), and whether columns lie one after another."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    fortran: bool
    stream: IO[bytes]
    held: bytes = b""

    @property
    def width(self) -> int:
        return self.shape[1] if len(self.shape) > 1 else 1

    @property
    def item(self) -> int:
        """Bytes of one value."""
        count = int(self.dtype[2:] or 1)
        return 4 * count if self.dtype[1] == "U" else count

    def part(self, first: int, rows: int) -> Part:
        """The values of ``rows`` rows from ``first`` on; rows must be asked for in order."""
        if not self.fortran or self.width == 1:
            return Part(self.dtype, self.width, False, self._exactly(rows * self.width * self.item))
        if not self.held:
            self.held = self._exactly(prod(self.shape) * self.item)
        starts = [(column * self.shape[0] + first) * self.item for column in range(self.width)]
        return Part(self.dtype, self.width, True, b"".join(self.held[at : at + rows * self.item] for at in starts))

    def _exactly(self, size: int) -> bytes:
        data = self.stream.read(size)
        if len(data) != size:
            raise EOFError(self.name)
        return data


@dataclass(frozen=True, slots=True)
class Part:
    """Raw values of some rows of one array, row by row, or column by column where ``by_column``."""

    dtype: str
    width: int
    by_column: bool
    data: bytes

    def texts(self) -> list[list[str]]:
        """The values of each row as text."""
        flat = self._flat()
        rows = len(flat) // self.width
        if self.by_column:
            return [flat[row::rows] for row in range(rows)]
        return [flat[at : at + self.width] for at in range(0, len(flat), self.width)]

    def _flat(self) -> list[str]:
        kind, size = self.dtype[1], int(self.dtype[2:] or 1)
        if kind == "U":
            encoding = "utf-32-be" if self.dtype[0] == ">" else "utf-32-le"
            text = self.data.decode(encoding, "replace")
            return [text[at : at + size].rstrip("\0") for at in range(0, len(text), size)]
        if kind == "S":
            found = [self.data[at : at + size].rstrip(b"\0") for at in range(0, len(self.data), size)]
            return [value.decode("utf-8", "backslashreplace") for value in found]
        code = _FORMATS[self.dtype[1:]]
        order = ">" if self.dtype[0] == ">" else "<"
        values = struct.unpack(f"{order}{len(self.data) // size}{code}", self.data)
        return [str(value) for value in values]


@dataclass(slots=True)
class NpzChunk:
    """Consecutive rows of all arrays, as raw parts; ``fields`` makes text of them only when it is asked for."""

    first_row: int
    count: int
    parts: list[Part]
    delimiter: str = ""
    split: list[list[str]] | None = None
    raw: Sequence[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.raw = _Texts(self)

    def __len__(self) -> int:
        return self.count

    def fields(self) -> list[list[str]]:
        if self.split is None:
            texts = [part.texts() for part in self.parts]
            self.split = [list(chain.from_iterable(row)) for row in zip(*texts, strict=True)]
        return self.split


class _Texts(Sequence[str]):
    def __init__(self, chunk: NpzChunk) -> None:
        self._chunk = chunk

    def __len__(self) -> int:
        return self._chunk.count

    def __getitem__(self, index: Any) -> Any:
        rows = self._chunk.fields()[index]
        return ",".join(rows) if isinstance(index, int) else [",".join(row) for row in rows]


class NpzRecords:
    """Records of an ``.npz`` file: ``X`` (n, d) with ``y`` (n,), or arrays of one length by name.

    The columns of ``X`` take their names from an array ``feature_names`` or ``columns`` where there is one.
    """

    format = "npz"

    def __init__(self, file: DataFile) -> None:
        self.file = file
        self.problems = Problems()
        self._row = 0
        try:
            self._zip = zipfile.ZipFile(file.path)
            members = {name.removesuffix(".npy"): self._member(name) for name in self._zip.namelist()}
        except (zipfile.BadZipFile, EOFError, zlib.error, OSError, NotImplementedError, struct.error):
            raise DataError(f"{file.name} is not a whole npz file.", "Write it again with numpy.savez.") from None
        named = {name: members.pop(name) for name in _NAME_ARRAYS if name in members and members[name].dtype[1] == "U"}
        self._members = [member for member in members.values() if member.shape]
        if not self._members:
            raise DataError(f"{file.name} holds no array with rows.", "Save X (rows, columns) and y (rows).")
        self.rows = self._members[0].shape[0]
        for member in self._members:
            self._check(member)
        self.names = check_names(file.name, self._names(named))

    def _member(self, name: str) -> Member:
        stream = self._zip.open(name)
        magic = stream.read(8)
        if magic[:6] != b"\x93NUMPY":
            hint = "Save plain arrays with numpy.savez."
            raise DataError(f"{self.file.name} holds {clean(name, 80)!r}, which is no array.", hint)
        size = struct.unpack("<H", stream.read(2))[0] if magic[6] == 1 else struct.unpack("<I", stream.read(4))[0]
        try:
            header = ast.literal_eval(stream.read(min(size, _HEADER_LIMIT)).decode("latin-1"))
            dtype, fortran = str(header["descr"]), bool(header["fortran_order"])
            shape = tuple(map(int, header["shape"]))
        except (ValueError, SyntaxError, KeyError, TypeError):
            raise DataError(f"{self.file.name} holds a damaged array {clean(name, 80)!r}.", "Write it again.") from None
        if dtype[1:2] not in ("U", "S") and dtype[1:] not in _FORMATS:
            what = f"the array {clean(name, 80)!r} of type {clean(dtype, 40)}"
            raise DataError(f"{self.file.name} holds {what}.", "Save numbers or text; objects are never unpickled.")
        return Member(name.removesuffix(".npy"), dtype, shape, fortran, stream)

    def _check(self, member: Member) -> None:
        if len(member.shape) > 2 or member.width == 0 or member.item == 0:
            hint = "Reshape it to (rows, columns)."
            raise DataError(f"The array {member.name!r} of {self.file.name} has the shape {member.shape}.", hint)
        if member.shape[0] != self.rows:
            first = self._members[0].name
            found = f"{member.name!r} has {member.shape[0]} rows, {first!r} has {self.rows}"
            raise DataError(f"The arrays of {self.file.name} differ in length: {found}.", "Give them the same rows.")

    def _names(self, named: dict[str, Member]) -> list[str]:
        given: list[str] = []
        for member in named.values():
            given = given or [row[0] for row in member.part(0, member.shape[0]).texts()]
        names: list[str] = []
        for member in self._members:
            if len(member.shape) == 1:
                names.append(member.name)
            elif len(given) == member.width:
                names += given
            else:
                stem = "x" if member.name == "X" else f"{member.name}_"
                names += [f"{stem}{place}" for place in range(member.width)]
        return names

    @property
    def position(self) -> int:
        """Bytes of the file that the rows read so far stand for."""
        return self.file.size * self._row // max(1, self.rows)

    def chunks(self, rows: int) -> Iterator[NpzChunk]:
        while self._row < self.rows:
            count = min(rows, self.rows - self._row)
            try:
                parts = [member.part(self._row, count) for member in self._members]
            except (EOFError, zipfile.BadZipFile, zlib.error):
                raise DataError(f"{self.file.name} is damaged after row {self._row}.", "Copy it again.") from None
            chunk = NpzChunk(self._row, count, parts)
            self._row += count
            yield chunk
