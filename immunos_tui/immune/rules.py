"""Innate immunity: rules that need no training. A pack is a TOML file of patterns with what to do about a match.

[pack]
name = "logs"
title = "Log lines that always matter"
about = "line"                    # "line" for text, "mode" for a file's permissions and name

[[rule]]
name = "out-of-memory"
pattern = 'out of memory'
severity = "high"                 # critical, high, medium, low
category = "resource exhaustion"
advice = "Find what grew, and limit it."
ignore_case = true                # optional
words = ["memory"]                # optional: lower-case words of which a line must have one, a quick first look
example = "Out of memory: kill process 77"
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from immunos_tui.immune.pattern import compile_bounded, windows
from immunos_tui.model.errors import DataError, NotFoundError
from immunos_tui.model.text import clean
from immunos_tui.resources import resource

SEVERITIES = ("critical", "high", "medium", "low")
ABOUT = ("line", "mode")
SAMPLE_LIMIT = 200
PACK_LIMIT = 1 << 20
"""Bytes that a pack may have."""

_KEYS: Mapping[str, type] = {
    "name": str, "pattern": str, "severity": str, "category": str, "advice": str, "ignore_case": bool, "words": list,
    "example": str, "secret": bool,
}  # fmt: skip
_NEEDED = ("name", "pattern", "severity", "category", "advice")


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern and what to do where it matches. With ``secret`` the matched text itself is never shown."""

    name: str
    pack: str
    pattern: re.Pattern[str]
    severity: str
    category: str
    advice: str
    words: tuple[str, ...] = ()
    example: str = ""
    secret: bool = False

    def search(self, line: str) -> tuple[int, int] | None:
        """Where the pattern first matches a line, as (start, end); time is bounded, see ``pattern``."""
        return self.look(line, line.lower()) if self.words else self.look(line, "")

    def look(self, line: str, lower: str) -> tuple[int, int] | None:
        """The same, for a caller that has the lower-cased line already."""
        if self.words and not any(word in lower for word in self.words):
            return None
        for offset, part in windows(line):
            match = self.pattern.search(part)
            if match:
                return offset + match.start(), offset + match.end()
        return None


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that matched: the line from 1 (0 for a file's permissions) and a clipped, harmless sample."""

    rule: Rule
    line: int
    sample: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "rule": self.rule.name,
            "pack": self.rule.pack,
            "severity": self.rule.severity,
            "category": self.rule.category,
            "advice": self.rule.advice,
            "line": self.line,
            "sample": self.sample,
        }


@dataclass(frozen=True, slots=True)
class RulePack:
    """The rules of one file, in its order."""

    name: str
    title: str
    about: str
    rules: tuple[Rule, ...]

    def hits(self, line: str, number: int = 1) -> list[Hit]:
        """Every rule that matches one line."""
        lower = line.lower()
        found = ((rule, rule.look(line, lower)) for rule in self.rules)
        return [Hit(rule, number, _sample(line, place, rule.secret)) for rule, place in found if place]

    def scan(self, lines: Iterable[str], first: int = 1) -> Iterator[Hit]:
        """Every match in lines that are numbered from ``first``."""
        for number, line in enumerate(lines, first):
            yield from self.hits(line, number)

    def inspect(self, path: str | os.PathLike[str]) -> list[Hit]:
        """The rules of a pack about permissions that match a file's mode and name, written as ``-rwxr-xr-x name``."""
        try:
            mode = os.lstat(path).st_mode
        except OSError as error:
            raise DataError(f"{clean(os.fspath(path), 200)} cannot be looked at: {error.strerror}.") from None
        return self.hits(f"{stat.filemode(mode)} {os.path.basename(os.fspath(path))}", 0)


def _sample(line: str, place: tuple[int, int], secret: bool) -> str:
    start, end = place
    if secret:
        shown = line[max(0, start - 60) : start] + line[start : start + 4] + "***" + line[end : end + 20]
        return clean(shown, SAMPLE_LIMIT)
    return clean(line[max(0, start - SAMPLE_LIMIT // 2) :], SAMPLE_LIMIT)


def shipped_packs() -> tuple[RulePack, ...]:
    """The packs that come with the program, by name."""
    return tuple(load_pack(path) for path in sorted(resource("rules").glob("*.toml")))


def load_pack(path: str | os.PathLike[str]) -> RulePack:
    """Reads and checks one pack. Raises NotFoundError, or DataError with the path and the line of the fault."""
    name = clean(os.fspath(path), 300)
    try:
        with Path(path).open("rb") as file:
            raw = file.read(PACK_LIMIT + 1)
    except FileNotFoundError:
        raise NotFoundError(f"There is no rule pack {name}.", "Check the path.") from None
    except OSError as error:
        raise DataError(f"The rule pack {name} cannot be read: {error.strerror}.") from None
    if len(raw) > PACK_LIMIT:
        raise DataError(f"The rule pack {name} is larger than 1 MiB.", "Split it.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"Line {line} of {name} is not UTF-8.", "Save the pack as UTF-8.") from None
    return parse_pack(text, name)


def parse_pack(text: str, name: str) -> RulePack:
    """The pack that a TOML text describes; ``name`` is what messages call it. Raises DataError with the line."""
    try:
        record = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what = clean(error, 200).replace("at end of document", f"at line {text.count(chr(10)) + 1}, the end")
        raise DataError(f"{name} is not valid TOML: {what}.", "Correct that line.") from None
    return _Checker(text, name).pack(record)


class _Checker:
    """Turns a parsed pack into rules; knows on which line of the text each rule and key stands."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._lines = text.split("\n")
        self._rules = [n for n, line in enumerate(self._lines, 1) if re.match(r"\s*\[\[\s*rule\s*\]\]", line)]

    def pack(self, record: dict[str, Any]) -> RulePack:
        head = record.get("pack")
        if not isinstance(head, dict) or not isinstance(head.get("name"), str):
            self.fail(1, "there is no [pack] with a name", 'Begin with [pack] and name = "...".')
        unknown = sorted(set(record) - {"pack", "rule"})
        if unknown:
            self.fail(self._line(unknown[0], 1), f"{unknown[0]!r} is not known here", "Use [pack] and [[rule]].")
        about = head.get("about", "line")
        if about not in ABOUT:
            self.fail(self._line("about", 1), f"about is {about!r}", f"Use one of {', '.join(ABOUT)}.")
        listed = record.get("rule", [])
        if not isinstance(listed, list) or not listed:
            self.fail(1, "there is no [[rule]]", "Add at least one rule.")
        rules: list[Rule] = []
        for index, entry in enumerate(listed):
            rules.append(self._rule(entry, index, head["name"], {rule.name for rule in rules}))
        return RulePack(head["name"], str(head.get("title", head["name"])), about, tuple(rules))

    def _rule(self, entry: Any, index: int, pack: str, taken: set[str]) -> Rule:
        start = self._rules[index] if index < len(self._rules) else 1
        if not isinstance(entry, dict):
            self.fail(start, "a rule is not a table", "Write [[rule]].")
        for key, value in entry.items():
            if key not in _KEYS:
                self.fail(self._line(key, start), f"{key!r} is not a key of a rule", f"Keys are {', '.join(_KEYS)}.")
            if not isinstance(value, _KEYS[key]):
                self.fail(self._line(key, start), f"{key!r} has the wrong type", f"It is a {_KEYS[key].__name__}.")
        for key in _NEEDED:
            if not entry.get(key):
                self.fail(start, f"the rule has no {key!r}", "Add it.")
        if entry["severity"] not in SEVERITIES:
            what = f"severity is {entry['severity']!r}"
            self.fail(self._line("severity", start), what, f"Use one of {', '.join(SEVERITIES)}.")
        if entry["name"] in taken:
            self.fail(self._line("name", start), f"the rule {entry['name']!r} is there twice", "Rename one.")
        return self._made(entry, start, pack)

    def _made(self, entry: dict[str, Any], start: int, pack: str) -> Rule:
        try:
            pattern = compile_bounded(entry["pattern"], ignore_case=entry.get("ignore_case", False))
        except ValueError as error:
            what = f"the pattern of {entry['name']!r} is refused, {error}"
            self.fail(self._line("pattern", start), what, "Change the pattern.")
        rule = Rule(
            name=entry["name"],
            pack=pack,
            pattern=pattern,
            severity=entry["severity"],
            category=entry["category"],
            advice=entry["advice"],
            words=tuple(str(word).lower() for word in entry.get("words", [])),
            example=entry.get("example", ""),
            secret=entry.get("secret", False),
        )
        if rule.example and rule.search(rule.example) is None:
            at = self._line("example", start)
            self.fail(at, f"the rule {rule.name!r} does not match its own example", "Correct the pattern or the words.")
        return rule

    def _line(self, key: str, start: int) -> int:
        """The line at or after ``start`` on which a key or table of that name stands."""
        pattern = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[=\]]")
        end = next((n for n in self._rules if n > start), len(self._lines) + 1)
        numbered = enumerate(self._lines[start - 1 : end - 1], start)
        return next((n for n, line in numbered if pattern.match(line)), start)

    def fail(self, line: int, what: str, hint: str) -> NoReturn:
        raise DataError(f"Line {line} of {self.name}: {clean(what, 300)}.", hint)
