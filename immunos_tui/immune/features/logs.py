"""Log lines and event sequences.

A line is masked (numbers, addresses, ids, times) and judged by its wording and its template. The masks are fixed patterns: a
template miner such as drain3 learns its clusters from the order in which lines come, so that one line would get another
template in another run; hashed features of masked lines need no clusters at all. A text that is nothing but event ids is judged
as a table of how often each event occurs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.components import Arrays, ComponentModel, Direction, Evidence, Meta, Progress, RowReasons, quiet
from immunos_tui.immune.features.hashing import words_of
from immunos_tui.immune.features.novelty import NoveltyModel, text_column
from immunos_tui.immune.features.reading import Reading
from immunos_tui.immune.nearest import near_rows
from immunos_tui.immune.table import Column, FloatArray, IntArray, Table
from immunos_tui.immune.tabular import TabularModel
from immunos_tui.model.errors import ArtifactError
from immunos_tui.model.text import clean

LINE_LIMIT = 4000
"""Characters of a line that are masked and kept."""

EVENT_KINDS = 300
"""Different events that a column of sequences may have."""

_MONTHS = frozenset("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())
_DAYS = frozenset("Mon Tue Wed Thu Fri Sat Sun".split())

_VALUES = (
    ("time", r"\b\d{4}[-/.]\d\d?[-/.]\d\d?(?:[T_-]\d\d?[:.]\d\d(?:[:.]\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"),
    ("time", r"\b\d\d?:\d\d:\d\d(?:[.,]\d+)?\b"),
    ("id", r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"),
    ("mac", r"\b(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}\b"),
    ("ip", r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?:/\d+)?\b"),
    ("ip", r"(?<![\w:])(?=[a-fA-F:]*\d)(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])"),
    ("hex", r"\b0[xX][0-9a-fA-F]+\b"),
    ("hex", r"\b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{6,}\b"),
)
_PLACES = (
    ("url", r"\b[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>]+"),
    ("mail", r"\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})*"),
    ("path", r"(?<![\w<>])(?:~|[A-Za-z]:)?(?:[/\\][\w.+@%~=#-]+){1,40}[/\\]?"),
)
_NUMBERS = (("num", r"[+-]?\d+(?:[.,]\d+)*"),)


def _masker(spans: Sequence[tuple[str, str]]) -> Callable[[str], str]:
    """A function that masks one word of a line; words come back, so the last ones are remembered."""
    pattern = re.compile("|".join(f"(?P<g{i}>{regex})" for i, (_, regex) in enumerate(spans)))
    names = {f"g{i}": f"<{name}>" for i, (name, _) in enumerate(spans)}

    @lru_cache(maxsize=16384)
    def mask(word: str) -> str:
        return pattern.sub(lambda match: names[match.lastgroup or ""], word)

    return mask


_mask_all = _masker((*_VALUES, *_PLACES, *_NUMBERS))
_mask_values = _masker((*_VALUES, *_NUMBERS))


def normalise(line: str) -> str:
    """A line as its fingerprint sees it: times, addresses, ids, paths and numbers masked, spaces folded, harmless.

    Two lines that differ only in such values are equal; a line number never remains.
    """
    return _masked(clean(line[:LINE_LIMIT]), _mask_all)


def template(line: str) -> str:
    """A line as the detector sees it: times, addresses, ids and numbers masked; the words of paths are kept."""
    return _masked(line[:LINE_LIMIT], _mask_values)


def _masked(line: str, mask: Callable[[str], str]) -> str:
    words = line.split()
    if not _MONTHS.isdisjoint(words):
        words = _without_dates(words)
    return " ".join([word if word.isalpha() else mask(word) for word in words])


def _without_dates(words: list[str]) -> list[str]:
    """The words with a month and the day after it, and a weekday before it, as one time."""
    kept: list[str] = []
    for word in words:
        if word.isdigit() and len(word) <= 2 and kept and kept[-1] in _MONTHS:
            kept[-1] = "<time>"
            if len(kept) > 1 and kept[-2] in _DAYS:
                del kept[-2]
        else:
            kept.append(word)
    return kept


class LineModel(NoveltyModel):
    """Self as a set of log lines."""

    kind: ClassVar[str] = "lines"
    reading: ClassVar[Reading] = Reading(template, words_of, layout=False, length_power=1.0)
    rare_is_self: ClassVar[bool] = True


class EventModel:
    """Self as a set of event sequences: a table of counts by event, the length, and steps that self never took."""

    kind: ClassVar[str] = "events"
    names: tuple[str, ...]

    def __init__(self, column: str, events: tuple[str, ...], steps: Mapping[str, int], table: TabularModel) -> None:
        self.column, self.events, self.steps, self.inner = column, events, dict(steps), table

    @classmethod
    def fit(cls, table: Table, column: str, *, seed: int, preset: str, progress: Progress) -> EventModel:
        sequences = [str(text).split() for text in table.column(column).values]
        events = tuple(sorted({event for sequence in sequences for event in sequence}))
        steps = Counter(step for sequence in sequences for step in set(_steps(sequence)))
        counts = count_table(sequences, events, steps, own=1)
        return cls(column, events, steps, TabularModel.fit(counts, seed=seed, preset=preset, progress=progress))

    def counts(self, table: Table) -> Table:
        """The sequences of a table as event counts."""
        sequences = [str(text).split() for text in table.column(self.column).values]
        return count_table(sequences, self.events, self.steps, own=0)

    def state(self) -> tuple[Arrays, Meta]:
        arrays, meta = self.inner.state()
        return arrays, {"column": self.column, "events": list(self.events), "steps": self.steps, "inner": meta}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> EventModel:
        inner = TabularModel.from_state(arrays, meta["inner"])
        return cls(str(meta["column"]), tuple(meta["events"]), dict(meta["steps"]), inner)


def _steps(sequence: Sequence[str]) -> list[str]:
    return [f"{a} {b}" for a, b in zip(["^", *sequence], [*sequence, "$"], strict=True)]


def count_table(sequences: Sequence[Sequence[str]], events: Sequence[str], steps: Mapping[str, int], own: int) -> Table:
    """How often each event occurs in each sequence, with the length, events and steps that self never had.

    With ``own`` 1 the sequences are self's own, and a step counts as new when no other sequence took it.
    """
    place = {event: i for i, event in enumerate(events)}
    counts = np.zeros((len(sequences), len(events) + 3))
    for row, sequence in enumerate(sequences):
        for event, count in Counter(sequence).items():
            at = place.get(event)
            counts[row, len(events) + 1 if at is None else at] += count
        counts[row, len(events)] = len(sequence)
        counts[row, len(events) + 2] = sum(steps.get(step, 0) <= own for step in set(_steps(sequence)))
    names = [*(f"event {clean(event, 40)}" for event in events), "length", "unknown events", "new steps"]
    return Table(tuple(Column(name, "number", counts[:, i]) for i, name in enumerate(names)))


def are_sequences(texts: Sequence[str]) -> bool:
    """Whether the texts are lists of event ids: few different ones, each a number or letters with a number."""
    sample = [text.split() for text in texts[:2000] if text.strip()]
    tokens = Counter(token for tokens in sample for token in tokens)
    if not sample or len(tokens) > EVENT_KINDS or sum(tokens.values()) < 2 * len(sample):
        return False
    return all(re.fullmatch(r"[A-Za-z]{0,4}\d{1,6}", token) for token in tokens)


class LogModel:
    """Self as log lines or as event sequences, whichever the text column holds."""

    kind: ClassVar[str] = "logs"

    def __init__(self, inner: LineModel | EventModel) -> None:
        self.inner = inner
        self.model: ComponentModel = inner.inner if isinstance(inner, EventModel) else inner

    @property
    def names(self) -> tuple[str, ...]:
        return self.model.names

    @property
    def features(self) -> tuple[str, ...]:
        return self.model.features

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.inner.column,)

    @property
    def exact_loo(self) -> bool:
        return self.model.exact_loo

    @property
    def loo_rows(self) -> IntArray:
        """The rows of the fitted table that ``loo_scores`` stands for."""
        rows: IntArray = getattr(self.model, "loo_rows")  # noqa: B009
        return rows

    @property
    def near_rows(self) -> IntArray:
        """The rows that explanations may name as the nearest."""
        return near_rows(self.model)

    @property
    def weights(self) -> FloatArray | None:
        """What each component counts for when they are fused; None for all alike."""
        weights: FloatArray | None = getattr(self.model, "weights", None)
        return weights

    @property
    def rare_is_self(self) -> bool:
        """Whether rare rows are part of self: a line that is logged once a week is, a sequence that no other took is not."""
        return isinstance(self.inner, LineModel)

    @property
    def reads_sequences(self) -> bool:
        return isinstance(self.inner, EventModel)

    @classmethod
    def fit(cls, table: Table, *, seed: int, preset: str, progress: Progress = quiet) -> Self:
        """Learn lines or sequences. Raises DataError where there is no text."""
        column = text_column(table)
        if are_sequences(list(table.column(column).values)):
            return cls(EventModel.fit(table, column, seed=seed, preset=preset, progress=progress))
        return cls(LineModel.fit(table, seed=seed, preset=preset, progress=progress))

    def _seen(self, table: Table) -> Table:
        return self.inner.counts(table) if isinstance(self.inner, EventModel) else table

    def loo_scores(self) -> FloatArray:
        return self.model.loo_scores()

    def evidence(self, table: Table) -> Evidence:
        return self.model.evidence(self._seen(table))

    def attribution(self, evidence: Evidence) -> tuple[FloatArray, Direction]:
        return self.model.attribution(evidence)

    def reasons(self, table: Table, evidence: Evidence, top: int = 5) -> list[RowReasons]:
        return self.model.reasons(self._seen(table), evidence, top)

    def vectors(self, table: Table) -> NDArray[np.float32]:
        return self.model.vectors(self._seen(table))

    def state(self) -> tuple[Arrays, Meta]:
        arrays, meta = self.inner.state()
        return arrays, {"form": self.inner.kind, "model": meta}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        forms: dict[str, Callable[..., LineModel | EventModel]] = {
            LineModel.kind: LineModel.from_state,
            EventModel.kind: EventModel.from_state,
        }
        try:
            return cls(forms[meta["form"]](arrays, meta["model"]))
        except KeyError as error:
            raise ArtifactError(f"The log model lacks a part: {error}.", "Train the agent again.") from error
