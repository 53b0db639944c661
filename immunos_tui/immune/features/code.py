"""Source code: tokens of any language, and for Python what its syntax tree shows.

From a Python function come the pairs of syntax nodes, the names that are called, and the form of what is passed to them: a query
built by adding strings looks like ``execute(BinOp)``, a parametrised one like ``execute(Constant, Tuple)``.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator
from typing import ClassVar

from immunos_tui.immune.features.hashing import TEXT_LIMIT
from immunos_tui.immune.features.novelty import NoveltyModel
from immunos_tui.immune.features.reading import Reading
from immunos_tui.immune.features.text import as_it_is

CODE_TOKEN = re.compile(
    r"[A-Za-z_]\w*|\d[\w.]*|==|!=|<=|>=|->|&&|\|\||<<|>>|\+\+|--|::|[^\s\w]",
)
"""A name, a number, or a sign of up to two characters."""

_DEPTH = 60
CODE_PASSES = 24


def code_tokens(code: str) -> list[str]:
    """The tokens of a piece of code in any language, names as they are written and in lower case where that differs."""
    return [token.lower() for token in CODE_TOKEN.findall(code[:TEXT_LIMIT])]


def code_words(code: str) -> list[str]:
    """The tokens of a piece of code and, where it is Python, its syntax features."""
    return [*code_tokens(code), *syntax_features(code)]


def syntax_features(code: str) -> list[str]:
    """What the syntax tree of a Python function shows, one word each; nothing for code that is not Python."""
    tree = parse(code)
    if tree is None:
        return []
    found: list[str] = []
    stack: list[tuple[ast.AST, int]] = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        name = type(node).__name__
        for child in ast.iter_child_nodes(node):
            found.append(f"{name}>{type(child).__name__}")
            if depth < _DEPTH:
                stack.append((child, depth + 1))
        if isinstance(node, ast.Call):
            found.extend(_call_features(node))
    return found


def parse(code: str) -> ast.Module | None:
    """The syntax tree of Python code, indented as it may be; None where it is something else."""
    if "{" in code and ";" in code and "def " not in code:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(textwrap.dedent(code[:TEXT_LIMIT]))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _call_features(node: ast.Call) -> Iterator[str]:
    name = _called(node.func)
    yield f"call:{name}"
    yield f"call:{name}({', '.join(_form(argument) for argument in node.args[:3])})"
    for keyword in node.keywords[:8]:
        yield f"call:{name}({keyword.arg}={_form(keyword.value)})"


def _called(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else type(node).__name__


def _form(node: ast.expr) -> str:
    """The kind of an argument; of a call, what is called, and of true and false, which."""
    if isinstance(node, ast.Call):
        return _called(node.func)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return str(node.value)
    return type(node).__name__


class CodeModel(NoveltyModel):
    """Self as a set of functions or files. One-class novelty says that code is unusual here, never that it is unsafe."""

    kind: ClassVar[str] = "code"
    reading: ClassVar[Reading] = Reading(as_it_is, code_words, layout=True, length_power=0.5)
