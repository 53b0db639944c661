"""Every room of the house keeps its size, and nothing lies about that should not be in it."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "immunos_tui"
MODULES = sorted(PACKAGE.rglob("*.py"))

FILE_LINES = 400
FUNCTION_LINES = 60
FUNCTION_LINES_AIM = 40
APP_LINES = 300

# Split, so that this file may be read by the test itself.
REGISTRIES = tuple(
    "".join(parts)
    for parts in (
        ("pypi", ".org"), ("python", "hosted.org"), ("registry.", "npmjs"), ("deb.", "debian.org"),
        ("proxy.", "golang.org"), ("crates", ".io"), ("repo1.", "maven.org"), ("repo.", "maven.apache.org"),
    )
)  # fmt: skip
MARKERS = re.compile(r"(#|//|--)\s*(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
BINARY = {".gz", ".npz", ".png", ".db", ".pyc", ".whl", ".zip"}
OURS = {
    ".ci", "benchmarks", "data", "docs", "immunos_tui", "scripts", "tests",
    ".gitattributes", ".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md", "LICENSE", "Makefile", "README.md",
    "pyproject.toml", "requirements.lock", "requirements-bench.lock", "requirements-dev.lock",
}  # fmt: skip


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def span(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first decorator to the last line, without the docstring."""
    first = node.body[0]
    has_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if has_docstring else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, kinds):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node  # type: ignore[attr-defined]


def texts() -> Iterator[tuple[Path, str]]:
    """Every file of the repository's own that holds text."""
    for top in sorted(OURS):
        root = ROOT / top
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if not path.is_file() or path.suffix in BINARY or "__pycache__" in path.parts:
                continue
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_files_are_rooms_not_halls() -> None:
    large = {str(path.relative_to(ROOT)): lines for path in MODULES if (lines := lines_of(path)) >= FILE_LINES}
    assert not large, f"{FILE_LINES} lines are the limit of a file: {large}"


def test_functions_are_short() -> None:
    sizes = {name: span(node) for name, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)}  # type: ignore[arg-type]
    near = {name: lines for name, lines in sizes.items() if lines > FUNCTION_LINES_AIM}
    if near:
        print(f"over {FUNCTION_LINES_AIM} lines, the aim: {near}")
    large = {name: lines for name, lines in near.items() if lines >= FUNCTION_LINES}
    assert not large, (
        f"{FUNCTION_LINES} lines are the limit of a function, {FUNCTION_LINES_AIM} the aim; over the aim: {near}"
    )


def test_the_app_is_a_frame() -> None:
    apps = {
        name: span(node)  # type: ignore[arg-type]
        for name, node in nodes(ast.ClassDef)
        if any(ast.unparse(base).split("[")[0].split(".")[-1] == "App" for base in node.bases)  # type: ignore[attr-defined]
    }
    large = {name: lines for name, lines in apps.items() if lines >= APP_LINES}
    assert not large, f"{APP_LINES} lines are the limit of the App: {large}"


def test_no_registry_is_named() -> None:
    """The program is for machines with no network, and whoever builds it says where packages come from."""
    named = [f"{path.relative_to(ROOT)}: {host}" for path, text in texts() for host in REGISTRIES if host in text]
    assert not named


def test_nothing_is_left_for_later() -> None:
    left = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path, text in texts()
        if path.suffix in {".py", ".sql", ".tcss", ".sh", ".toml", ""}
        for number, line in enumerate(text.splitlines(), 1)
        if MARKERS.search(line)
    ]
    assert not left


def test_every_tracked_file_is_looked_at() -> None:
    """A new folder or file at the top has to be named in OURS, or the two tests above would not see it."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git here, so nothing says which files belong to the repository")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    tops = {name.split("/")[0] for name in done.stdout.split("\0") if name}
    assert tops <= OURS
