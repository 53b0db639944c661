"""The one cleaner of untrusted text: log lines, model output, file names, labels, imports.

Whatever could steer a terminal or disguise itself becomes visible, harmless text: an escape
character is shown as ``\\x1b``, a bidi override as ``\\u202e``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# C0 and C1 with DEL; bidi marks, embeddings, overrides and isolates; zero-width and invisible
# characters; line and paragraph separators; interlinear and tag characters; lone surrogates.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SPACES = {"\t": " ", "\n": " ", "\r": " "}


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _visible_line(match: re.Match[str]) -> str:
    return _SPACES.get(match.group()) or _visible(match)


def clean(text: object, limit: int = 0) -> str:
    """One line of harmless text; ``limit`` cuts it to that many characters, 0 keeps all.

    Tabs and line ends become a space; everything else harmful becomes its visible escape.
    """
    raw = str(text)
    if limit and len(raw) > 4 * limit:
        raw = raw[: 4 * limit]
    line = _HARMFUL.sub(_visible_line, raw)
    return cut(line, limit) if limit else line


def clean_block(text: object, limit: int = 0) -> str:
    """Several lines of harmless text: line ends are kept, a tab becomes spaces to the next stop."""
    lines = str(text).replace("\r\n", "\n").split("\n")
    block = "\n".join(_HARMFUL.sub(_visible, line.expandtabs(4)) for line in lines)
    return cut(block, limit) if limit else block


def storable(text: str) -> str:
    """The text with what a database cannot hold or search as its visible escape: lone surrogates and NUL.

    Surrogates come from undecodable bytes in arguments and file names.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def cut(text: str, limit: int, mark: str = "…") -> str:
    """At most ``limit`` characters, with ``mark`` where the end is missing."""
    if len(text) <= limit:
        return text
    return text[: max(0, limit - len(mark))] + mark


def cut_middle(text: str, limit: int, mark: str = "…") -> str:
    """At most ``limit`` characters, both ends kept: names and paths are told apart by their ends."""
    if len(text) <= limit:
        return text
    keep = max(0, limit - len(mark))
    head = keep // 2
    return text[:head] + mark + text[len(text) - (keep - head) :]


def nearest(word: str, known: Iterable[str], likeness: float) -> list[str]:
    """The name that comes nearest to a wrong one, if any is like it."""
    import difflib  # noqa: PLC0415 - only where something is wrong

    return difflib.get_close_matches(word, list(known), 1, likeness)


def percentile_text(percentile: float) -> str:
    """Where a value lies among self, in at most five cells: P50 is its median, P100 lies beyond it."""
    return f"P{round(min(percentile, 99.9), 1):g}" if percentile < 100 else "P100"
