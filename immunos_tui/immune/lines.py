"""The lines of a text file, in lists of about a megabyte: bounded memory, exact line numbers, sentences for faults."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from immunos_tui.immune.datafile import LINE_CLIP, LINE_LIMIT, DataFile, refuse_binary
from immunos_tui.model.errors import DataError


class LineBlocks:
    """Iterates over lists of lines without their ends.

    ``tolerant`` is for logs: bytes that are not UTF-8 become ``\\xe9``, long lines are clipped and counted in
    ``clipped``, NUL bytes stay. Otherwise each of those is a DataError with its line number or byte offset.
    ``odd`` turns true once a quote, a lone carriage return or a blank line was seen; ``unterminated`` says, at the
    end, that the last line has no line end.
    """

    def __init__(self, file: DataFile, *, tolerant: bool = False) -> None:
        self.file = file
        self.tolerant = tolerant
        self.lines = 0
        self.clipped = 0
        self.undecodable = 0
        self.odd = False
        self.unterminated = False
        self._offset = 0
        self._mac = False

    def __iter__(self) -> Iterator[list[str]]:
        head = self.file.head()
        refuse_binary(self.file.name, head, strict=not self.tolerant)
        self._mac = b"\r" in head and b"\n" not in head
        parts: list[bytes] = []
        held = 0
        for index, raw in enumerate(self.file.blocks()):
            block = self._first(raw) if index == 0 else raw
            if self._mac:
                block = block.replace(b"\r", b"\n")
            cut = block.rfind(b"\n")
            if cut < 0:
                held = self._hold(parts, held, block)
                continue
            parts.append(block[: cut + 1])
            yield self._decode(b"".join(parts))
            parts, held = [block[cut + 1 :]], len(block) - cut - 1
        rest = b"".join(parts)
        if rest:
            self.unterminated = True
            yield self._decode(rest)

    def _first(self, block: bytes) -> bytes:
        if not block.startswith(codecs.BOM_UTF8):
            return block
        self._offset = len(codecs.BOM_UTF8)
        return block[self._offset :]

    def _hold(self, parts: list[bytes], held: int, block: bytes) -> int:
        """Keeps a piece of a line whose end has not come; beyond the limit it is refused, or let go in a log."""
        if held + len(block) <= LINE_LIMIT:
            parts.append(block)
        elif not self.tolerant:
            limit = LINE_LIMIT >> 20
            hint = "A quote or a line end may be missing there, or this is no table."
            raise DataError(f"Line {self.lines + 1} of {self.file.name} is longer than {limit} MiB.", hint)
        return held + len(block)

    def _decode(self, data: bytes) -> list[str]:
        if not self.tolerant and b"\0" in data:
            line = self.lines + data.count(b"\n", 0, data.index(b"\0")) + 1
            raise DataError(f"Line {line} of {self.file.name} holds a NUL byte.", "Remove it: tr -d '\\\\000'.")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            text = self._undecodable(data, error)
        self._offset += len(data)
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        self.lines += len(lines)
        self.odd = self.odd or '"' in text or "\r" in text or "\n\n" in text or text.startswith("\n")
        return self._clip(lines) if self.tolerant else lines

    def _undecodable(self, data: bytes, error: UnicodeDecodeError) -> str:
        if self.tolerant:
            self.undecodable += 1
            return data.decode("utf-8", "backslashreplace")
        line = self.lines + data.count(b"\n", 0, error.start) + 1
        where = f"byte {self._offset + error.start} (line {line})"
        found = f"0x{data[error.start]:02x}"
        hint = "Convert it first, for example: iconv -f latin1 -t utf-8."
        raise DataError(f"{self.file.name} is not UTF-8: {where} is {found}.", hint) from None

    def _clip(self, lines: list[str]) -> list[str]:
        if max(map(len, lines), default=0) <= LINE_CLIP:
            return lines
        self.clipped += sum(len(line) > LINE_CLIP for line in lines)
        return [line[:LINE_CLIP] for line in lines]
