"""How long a regular expression may take, told from its syntax before it ever runs.

The worst case of a backtracking search is the number of starts times the ways in which its repeats can share the text. Both are
bounded here: a line is searched in windows of a fixed size, and a pattern whose repeats multiply to too many tries is refused
when its pack is loaded. So no time-out is needed, and no matcher beyond Python's own. Nested quantifiers such as ``(a+)+`` are the
extreme case; a possessive repeat such as ``\\s*+`` gives nothing back, and counts as one. The parser of ``re`` itself is asked, so that what is judged is what runs.
"""

from __future__ import annotations

import re
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

WINDOW = 2000
"""Characters that are searched at once."""

OVERLAP = 200
"""Characters that two neighbouring windows share, so that a match across their border is found."""

WINDOWS = 10
"""Windows of one line that are searched; what lies beyond is not."""

MAX_TRIES = 5000
"""Ways of sharing the text, for one start, that a pattern may have in the worst case."""

_REPEATS = (code.MAX_REPEAT, code.MIN_REPEAT)
_GREEDY = (code.POSSESSIVE_REPEAT,)
_TOO_MANY = 10**12


def compile_bounded(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """The compiled pattern. Raises ValueError with the reason when it is no pattern, or may take too long."""
    flags = re.IGNORECASE if ignore_case else 0
    try:
        tree = parser.parse(pattern, flags)
        compiled = re.compile(pattern, flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"it is no regular expression: {error}") from None
    if compiled.match(""):
        raise ValueError("it matches an empty line")
    if tries(tree) > MAX_TRIES:
        raise ValueError(
            "its repeats can be combined in too many ways; bound them, make them possessive (\\s{0,5}+), never nest them"
        )
    return compiled


def tries(tree: Any) -> int:
    """The ways in which one start of a parsed pattern can be tried, at most ``10**12``."""
    total = 1
    for operator, argument in tree:
        total = min(_TOO_MANY, total * _tries_of(operator, argument))
    return total


def _tries_of(operator: Any, argument: Any) -> int:
    if operator in _REPEATS:
        return _repeated(*argument)
    if operator in _GREEDY:
        return tries(argument[2])
    if operator is code.BRANCH:
        return sum(tries(branch) for branch in argument[1])
    if operator is code.SUBPATTERN:
        return tries(argument[3])
    if operator is code.ATOMIC_GROUP:
        return tries(argument)
    if operator in (code.ASSERT, code.ASSERT_NOT):
        return tries(argument[1])
    if operator is code.GROUPREF_EXISTS:
        return sum(tries(branch) for branch in argument[1:] if branch is not None)
    return 1


def _repeated(low: int, high: int, body: Any) -> int:
    most = min(int(high), WINDOW)
    inner = tries(body)
    ways = most - min(int(low), most) + 1
    if inner == 1:
        return ways
    if most <= 1:
        return inner + 1
    return _TOO_MANY if most > 40 else min(_TOO_MANY, ways * inner**most)


def windows(line: str) -> list[tuple[int, str]]:
    """The parts of a line that are searched, each with its offset."""
    if len(line) <= WINDOW:
        return [(0, line)]
    step = WINDOW - OVERLAP
    starts = range(0, max(1, len(line) - OVERLAP), step)
    return [(start, line[start : start + WINDOW]) for start in starts[:WINDOWS]]
