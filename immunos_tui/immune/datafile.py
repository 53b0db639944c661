"""A file on disk as a dataset sees it: checked before it is opened, read in blocks, noticed when it changes.

Standard library only: the preview of a dataset must not cost the import of numpy.
"""

from __future__ import annotations

import contextlib
import difflib
import gzip
import hashlib
import io
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from immunos_tui.model.errors import DataError, NotFoundError
from immunos_tui.model.text import clean

Progress = Callable[[str, float, str], None]
"""Called with the stage's name, the fraction of it that is done (0..1) and a note."""

BLOCK = 1 << 20
"""Bytes read at a time."""

_BUFFER = 1 << 16

LINE_LIMIT = 16 << 20
"""Bytes that one line may have; a longer one is refused in a table and clipped in a log."""

LINE_CLIP = 64 << 10
"""Bytes that are kept of a log line beyond the limit."""

_MAGIC = (
    (b"\x7fELF", "a program"),
    (b"PK\x03\x04", "a zip archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"%PDF", "a PDF document"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a single numpy array"),
)
_UTF16 = ((b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


def shown(path: str | os.PathLike[str]) -> str:
    """The path as harmless text for a message."""
    return clean(os.fspath(path), 300)


def regular_file(path: str | os.PathLike[str]) -> os.stat_result:
    """What the path leads to, when that is a plain file.

    Raises NotFoundError when there is nothing, DataError for a folder, a pipe, a socket, a device or a path that
    cannot be looked up. Nothing is opened, so nothing can block.
    """
    name = shown(path)
    try:
        info = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"There is no file {name}.", _neighbours(path)) from None
    except PermissionError:
        raise DataError(f"{name} cannot be reached: no permission.", "Give this user access to its folder.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{name} cannot be read: {error}.", "Check the path.") from None
    if stat.S_ISDIR(info.st_mode):
        raise DataError(f"{name} is a folder where a file is needed.", "Name one file in it.")
    if not stat.S_ISREG(info.st_mode):
        kind = next((word for test, word in _SPECIAL if test(info.st_mode)), "not a plain file")
        raise DataError(f"{name} is {kind}, not a file.", "Copy its content to a file first.")
    return info


_SPECIAL: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "a pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def _neighbours(path: str | os.PathLike[str]) -> str:
    wanted = Path(path)
    try:
        names = [entry.name for entry in os.scandir(wanted.parent)]
    except (OSError, ValueError):
        return "Check the path."
    near = difflib.get_close_matches(wanted.name, names, n=3)
    return f"Near it: {', '.join(clean(n, 80) for n in near)}." if near else "Check the path."


def sha256_file(path: str | os.PathLike[str], progress: Progress | None = None) -> str:
    """The SHA-256 of a file's bytes in hex; of a folder, over its readable files' names and bytes.

    Raises NotFoundError or DataError as ``regular_file`` does.
    """
    if os.path.isdir(path):
        return _sha256_folder(Path(path))
    with DataFile(path, digest=True) as file:
        while file.read_raw(BLOCK):
            if progress is not None:
                progress("read", file.fraction, f"{file.position} of {file.size} bytes")
        return file.sha256


def _sha256_folder(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        total.update(os.fsencode(path.relative_to(folder)) + b"\0")
        total.update(sha256_file(path).encode())
    return total.hexdigest()


class _Counted(io.RawIOBase):
    """A raw file that counts the bytes it gave out and, when asked, hashes them."""

    def __init__(self, raw: io.FileIO, digest: bool) -> None:
        super().__init__()
        self._raw = raw
        self.count = 0
        self.hash = hashlib.sha256() if digest else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        got = self._raw.readinto(buffer) or 0
        self.count += got
        if self.hash is not None:
            self.hash.update(memoryview(buffer)[:got])
        return got

    def close(self) -> None:
        self._raw.close()
        super().close()


class DataFile:
    """An open plain file, gunzipped on the way where its first bytes say gzip.

    Raises NotFoundError and DataError on opening; a half-written gzip or a failing disk is a DataError while reading.
    """

    def __init__(self, path: str | os.PathLike[str], *, digest: bool = False) -> None:
        self.path = path
        self.name = shown(path)
        regular_file(path)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except PermissionError:
            raise DataError(f"{self.name} cannot be read: no permission.", "Let this user read it.") from None
        except OSError as error:
            raise DataError(f"{self.name} cannot be opened: {error.strerror}.", "Check the path.") from None
        raw = io.FileIO(descriptor, closefd=True)
        self._before = os.fstat(descriptor)
        if not stat.S_ISREG(self._before.st_mode):
            raw.close()
            raise DataError(f"{self.name} is not a plain file any more.", "Copy its content to a file first.")
        self._counted = _Counted(raw, digest)
        self._buffer = io.BufferedReader(self._counted, _BUFFER)
        self.compressed = self._buffer.peek(2)[:2] == b"\x1f\x8b"
        self._stream = gzip.GzipFile(fileobj=self._buffer) if self.compressed else self._buffer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; closing twice is no error."""
        with contextlib.suppress(OSError):
            self._stream.close()
            self._buffer.close()

    @property
    def size(self) -> int:
        """Bytes on disk when the file was opened."""
        return self._before.st_size

    @property
    def position(self) -> int:
        """Bytes on disk that have been read, compressed ones where the file is."""
        return self._counted.count

    @property
    def fraction(self) -> float:
        return min(1.0, self.position / self.size) if self.size else 1.0

    @property
    def sha256(self) -> str:
        """The hash of the bytes read so far, in hex; "" when it was not asked for."""
        return self._counted.hash.hexdigest() if self._counted.hash is not None else ""

    def read_raw(self, size: int) -> bytes:
        """The next bytes as they are on disk; never mixed with ``blocks``."""
        try:
            return self._buffer.read(size)
        except OSError as error:
            raise DataError(f"{self.name} cannot be read: {error.strerror}.", "Check the disk.") from None

    def finish(self) -> None:
        """Reads what is left on disk, so that the hash covers the whole file."""
        while self.read_raw(BLOCK):
            pass

    def head(self, size: int = 8192) -> bytes:
        """The first bytes of the content, gunzipped, left to be read again; at most ``size``."""
        return self._guarded(lambda: self._peek(size))[:size]

    def _peek(self, size: int) -> bytes:
        return self._stream.peek(size)

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """The content in blocks of at most ``size`` bytes, gunzipped."""
        while block := self._guarded(lambda: self._stream.read(size)):
            yield block

    def _guarded(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except EOFError:
            hint = "It was cut off or is still being written: copy it again."
            raise DataError(f"{self.name} ends in the middle of its compressed data.", hint) from None
        except (gzip.BadGzipFile, zlib.error):
            at = f"near byte {self.position} of {self.size}"
            raise DataError(f"{self.name} is a damaged gzip file {at}.", "Copy it again.") from None
        except OSError as error:
            raise DataError(f"{self.name} cannot be read: {error.strerror}.", "Check the disk.") from None

    def changed(self) -> str:
        """A sentence when the file on disk is no longer what was opened, else ""."""
        try:
            now = os.stat(self.path)
        except OSError:
            return f"{self.name} was removed while it was read."
        before = self._before
        if (now.st_size, now.st_mtime_ns, now.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino):
            return ""
        sizes = f"{before.st_size} bytes, now {now.st_size}"
        return f"{self.name} changed while it was read ({sizes}): read it again when its writer is done."


def refuse_binary(name: str, head: bytes, *, strict: bool = True) -> None:
    """Raises DataError when the first bytes of a file are not text in UTF-8 or a superset of ASCII.

    ``strict`` also refuses a NUL byte; logs may hold some after a crash, so they allow up to three in ten.
    """
    for mark, encoding in _UTF16:
        if head.startswith(mark):
            command = f"iconv -f {encoding.lower()} -t utf-8"
            raise DataError(f"{name} is written in {encoding}, not UTF-8.", f"Convert it first: {command}.")
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise DataError(f"{name} is {what}, not text.", "Export it as CSV or JSON lines first.")
    nul = head.count(0)
    if nul and nul > 0.3 * len(head) and b"\0" in (head[1:2], head[0:1]) and head.count(b"\0\0") < nul / 4:
        raise DataError(f"{name} looks like UTF-16 without a mark.", "Convert it first: iconv -f utf-16le -t utf-8.")
    odd = sum(byte < 32 and byte not in (9, 10, 12, 13, 27) for byte in head)
    if odd > 0.3 * len(head) or (strict and nul and odd > 1):
        raise DataError(f"{name} is binary, not text.", "Export it as CSV or JSON lines first.")
