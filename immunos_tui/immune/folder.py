"""A folder of source files as records: one a function of a Python file, one a file otherwise.

Standard library only. Hidden folders, links and files that are not source are passed over.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from immunos_tui.immune.datafile import DataFile, shown
from immunos_tui.immune.problems import Problems
from immunos_tui.immune.records import Chunk
from immunos_tui.model.errors import DataError, ImmunosError, NotFoundError
from immunos_tui.model.text import clean

LANGUAGES = {
    ".py": "python", ".pyi": "python", ".c": "c", ".h": "c", ".cc": "c++", ".cpp": "c++", ".cxx": "c++", ".hpp": "c++",
    ".java": "java", ".js": "javascript", ".mjs": "javascript", ".ts": "typescript", ".tsx": "typescript", ".go": "go",
    ".rs": "rust", ".rb": "ruby", ".php": "php", ".pl": "perl", ".sh": "shell", ".bash": "shell", ".cs": "c#",
    ".swift": "swift", ".kt": "kotlin", ".scala": "scala", ".lua": "lua", ".sql": "sql", ".ps1": "powershell",
}  # fmt: skip
"""The source files that are read, by the end of their names."""

FILE_LIMIT = 1 << 20
"""Bytes of one source file that are read."""

FOLDER_NAMES = ("path", "name", "line", "language", "code")


class FolderRecords:
    """Records of a folder of source files: path below the folder, function, first line, language and code."""

    format = "folder"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.folder = Path(path)
        self.problems = Problems()
        self.names: tuple[str, ...] = FOLDER_NAMES
        if not self.folder.exists():
            raise NotFoundError(f"There is no folder {shown(path)}.", "Check the path.")
        self.files = sorted(source_files(self.folder, self.problems))
        self._sizes = [_size(file) for file in self.files]
        self._done = 0
        if not self.files:
            kinds = " ".join(sorted(LANGUAGES))
            raise DataError(f"{shown(path)} holds no source file that can be read.", f"Known are {kinds}.")

    @property
    def size(self) -> int:
        return sum(self._sizes)

    @property
    def position(self) -> int:
        return sum(self._sizes[: self._done])

    def chunks(self, rows: int) -> Iterator[Chunk]:
        records = self._records()
        row = 0
        while taken := list(islice(records, rows)):
            yield Chunk(row, [fields[-1] for fields in taken], split=taken)
            row += len(taken)

    def _records(self) -> Iterator[list[str]]:
        for file in self.files:
            below = os.fspath(file.relative_to(self.folder))
            try:
                text = read_source(file)
            except ImmunosError as error:
                self.problems.add("unreadable", f"A file was passed over: {error.message}")
                self._done += 1
                continue
            language = LANGUAGES[file.suffix.lower()]
            for name, line, code in pieces(text, language):
                yield [below, name, str(line), language, code]
            self._done += 1


def source_files(folder: Path, problems: Problems) -> Iterator[Path]:
    """The source files below a folder; links are not followed, hidden folders not entered."""

    def missed(error: OSError) -> None:
        problems.add("folder", f"The folder {clean(error.filename, 200)} cannot be read: {error.strerror}.")

    for base, folders, files in os.walk(folder, onerror=missed):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in files:
            path = Path(base, name)
            if path.suffix.lower() in LANGUAGES and path.is_file() and not path.is_symlink():
                yield path


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def read_source(file: Path) -> str:
    """The text of a source file, at most the first mebibyte, undecodable bytes made visible."""
    with DataFile(file) as data:
        head = data.read_raw(FILE_LIMIT)
    if b"\0" in head[:8192]:
        raise DataError(f"{shown(file)} is binary, not source.")
    return head.decode("utf-8", "backslashreplace").removeprefix("\ufeff")


def pieces(text: str, language: str) -> list[tuple[str, int, str]]:
    """(name, first line, code) of each function of a Python file and of what is left; otherwise the whole file."""
    if language != "python":
        return [("", 1, text)] if text.strip() else []
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [("", 1, text)] if text.strip() else []
    lines = text.split("\n")
    found: list[tuple[str, int, str]] = []
    taken: set[int] = set()
    for name, node in _functions(tree, ""):
        first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
        last = node.end_lineno or first
        found.append((name, first, "\n".join(lines[first - 1 : last])))
        taken.update(range(first, last + 1))
    rest = "\n".join(line for number, line in enumerate(lines, 1) if number not in taken)
    if rest.strip():
        found.append(("", 1, rest))
    return found


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif not isinstance(child, ast.expr):
            yield from _functions(child, prefix)
