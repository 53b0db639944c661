"""The labelled B-cell of texts as a model for the detector: one component, the log odds of not being self.

The classifier learns from self and from labelled rows that are not (``classifier``); the detector counts the log odds against those of
self rows that the classifier has not seen. Explanations name the words that told most, and the nearest self text that was kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.components import ABOVE, Arrays, Direction, Evidence, Meta, Progress, RowReasons, quiet
from immunos_tui.immune.features import hashing
from immunos_tui.immune.features.classifier import BITS, PASSES, TextClassifier, foreign_odds, looking_words, read_bags
from immunos_tui.immune.features.code import CODE_PASSES, code_words
from immunos_tui.immune.features.dense import DenseClassifier, blend
from immunos_tui.immune.features.hashing import Bags, Tokenizer, words_of
from immunos_tui.immune.features.logs import are_sequences, template
from immunos_tui.immune.features.meaning import VECTORS, vectors_of
from immunos_tui.immune.features.neighbours import TextAntigens
from immunos_tui.immune.features.novelty import SKETCH, sketch
from immunos_tui.immune.features.text import as_it_is
from immunos_tui.immune.table import FloatArray, IntArray, Table
from immunos_tui.model.errors import ArtifactError, UsageError
from immunos_tui.model.explanation import FeatureReason
from immunos_tui.model.text import clean

ANTIGENS = 1024
"""Self texts that are kept to find the nearest one."""


@dataclass(frozen=True, slots=True)
class LabelledReading:
    """How labelled texts are read: what is masked, the tokens, whether character fragments count, and passes of training.

    ``whole_copies`` says that equal texts are copies of each other, which a fair evaluation keeps on one side; in logs they are
    not, since a log repeats itself by nature.
    """

    mask: Callable[[str], str]
    tokenize: Tokenizer
    fragments: bool
    passes: int
    whole_copies: bool

    def bags(self, texts: Sequence[str]) -> Bags:
        """The hashed features of texts as they stand in the file."""
        return read_bags([self.mask(text) for text in texts], self.fragments, self.tokenize)


READINGS = {
    "text": LabelledReading(as_it_is, looking_words, fragments=True, passes=PASSES, whole_copies=True),
    "code": LabelledReading(as_it_is, code_words, fragments=False, passes=CODE_PASSES, whole_copies=True),
    "lines": LabelledReading(template, words_of, fragments=True, passes=PASSES, whole_copies=False),
    "sequences": LabelledReading(as_it_is, str.split, fragments=False, passes=PASSES, whole_copies=False),
}


def reading_name(pipeline: str, texts: Sequence[str]) -> str:
    """The reading of a text-like pipeline; logs are read as event sequences where they are lists of event ids."""
    if pipeline == "logs":
        return "sequences" if are_sequences(texts) else "lines"
    return "code" if pipeline == "code" else "text"


class ClassifierModel:
    """A text classifier as a model of what is foreign. ``own`` is the class that is self; immutable once made.

    ``dense`` is the classifier of the texts' dense vectors, where they come with them; the two think together.
    """

    kind: ClassVar[str] = "classifier"

    def __init__(
        self,
        column: str,
        reading: str,
        own: str,
        classifier: TextClassifier,
        antigens: TextAntigens,
        rows: int,
        dense: DenseClassifier | None = None,
    ) -> None:
        self.column, self.own, self.rows = column, own, rows
        self.classifier, self.dense = classifier, dense
        self._reading_name, self._reading = reading, READINGS[reading]
        self._own = np.array([name == own for name in classifier.classes])
        self._antigens = antigens

    @classmethod
    def of(
        cls,
        column: str,
        reading: str,
        own: str,
        classifier: TextClassifier,
        antigens: Sequence[str],
        rows: int,
        dense: DenseClassifier | None = None,
    ) -> Self:
        """The model of a trained classifier that learned from ``rows`` self rows; ``antigens`` are some of their texts."""
        masked = [READINGS[reading].mask(text) for text in antigens]
        return cls(column, reading, own, classifier, TextAntigens.of(*classifier.word_weights(masked)), rows, dense)

    @property
    def names(self) -> tuple[str, ...]:
        return ("foreign",)

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(clean(name, 40) for name in self._foreign)

    @property
    def _foreign(self) -> tuple[str, ...]:
        return tuple(name for name in self.classifier.classes if name != self.own)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, VECTORS) if self.dense else (self.column,)

    @property
    def exact_loo(self) -> bool:
        return False

    @classmethod
    def fit(cls, table: Table, *, seed: int, preset: str, progress: Progress = quiet) -> Self:
        """Refused: raises UsageError, since a classifier cannot learn from self alone."""
        raise UsageError(
            "A labelled detector cannot be fitted on self alone.", "Train it with labels: train(..., role='bcell')."
        )

    def loo_scores(self) -> FloatArray:
        """No rows: the classifier is calibrated on rows that it was not fitted on."""
        return np.zeros((0, 1))

    def probabilities(self, table: Table) -> FloatArray:
        """The probability of each of ``classifier.classes`` for each row, (n, classes)."""
        masked = [self._reading.mask(text) for text in table.column(self.column).values]
        place: dict[str, int] = {}
        which = np.array([place.setdefault(text, len(place)) for text in masked], dtype=np.int64)
        found = self.classifier.probabilities(list(place))[which]
        return blend(found, self.dense.probabilities(vectors_of(table, self.dense.width))) if self.dense else found

    def evidence(self, table: Table) -> Evidence:
        found = self.probabilities(table)
        return Evidence(foreign_odds(found, self._own)[:, None], {"probabilities": found})

    def attribution(self, evidence: Evidence) -> tuple[FloatArray, Direction]:
        """What each foreign class has of the probability of all foreign ones."""
        foreign = evidence.detail["probabilities"][:, ~self._own]
        total = foreign.sum(axis=1, keepdims=True)
        even = 1.0 / max(1, foreign.shape[1])
        shares = np.where(total > 0, foreign / np.where(total > 0, total, 1.0), even)
        return shares, np.full(shares.shape, ABOVE, dtype=np.int8)

    def reasons(self, table: Table, evidence: Evidence, top: int = 5) -> list[RowReasons]:
        texts = [self._reading.mask(text) for text in table.column(self.column).values]
        distance, antigen = self._antigens.nearest(*self.classifier.word_weights(texts))
        shares, _ = self.attribution(evidence)
        found = []
        for i, text in enumerate(texts):
            name = self._foreign[int(shares[i].argmax())]
            words = self._words(text, name, top)
            near = float(distance[i]) if antigen[i] >= 0 else float("nan")
            found.append(RowReasons(words, int(antigen[i]), near, None, self._notes(evidence, i, name, bool(words))))
        return found

    def _words(self, text: str, name: str, top: int) -> tuple[FeatureReason, ...]:
        """The words that speak most for a class, each with the share of kept self texts that are without it."""
        told = self.classifier.telling(text, name, top)
        total = sum(gain for _, gain in told)
        what = f"word of {clean(name, 40)}"
        reasons = []
        for word, gain in told:
            without = 100.0 * (1.0 - self._share_with(word))
            reasons.append(FeatureReason(what, word, "above", f"{without:.3g} %: without it", gain / total, without))
        return tuple(reasons)

    def _share_with(self, word: str) -> float:
        """The share of kept self texts that have a word; words that share its place in the hash count as it."""
        index = self._antigens
        key = hashing.word_key(word, BITS)
        at = int(np.searchsorted(index.features, key))
        if at == len(index.features) or index.features[at] != key:
            return 0.0
        return float(index.start[at + 1] - index.start[at]) / max(1, index.m)

    def _notes(self, evidence: Evidence, row: int, name: str, has_words: bool) -> tuple[str, ...]:
        found = evidence.detail["probabilities"][row]
        own = float(found[self._own].sum())
        like = float(found[self.classifier.classes.index(name)])
        note = f"{like:.0%} like {clean(name, 40)}, {own:.0%} like {clean(self.own, 40)}"
        told = has_words or like <= own
        return (note,) if told else (note, "no single word tells: its look or its fragments do")

    def vectors(self, table: Table) -> NDArray[np.float32]:
        """A count sketch of the weighted words (Charikar, Chen and Farach-Colton 2002), (n, 256)."""
        texts = [self._reading.mask(text) for text in table.column(self.column).values]
        out = np.zeros((len(texts), SKETCH), dtype=np.float32)
        for part in hashing.chunks(texts):
            out[part] = sketch(*self.classifier.word_weights(texts[part]))
        return out

    def state(self) -> tuple[Arrays, Meta]:
        arrays, about = self.classifier.state()
        arrays = dict(arrays) | {f"near/{name}": array for name, array in self._antigens.state().items()}
        if self.dense:
            arrays |= {f"dense/{name}": array for name, array in self.dense.state().items()}
        meta: Meta = {
            "column": self.column,
            "reading": self._reading_name,
            "own": self.own,
            "rows": self.rows,
            "antigens": self._antigens.m,
            "classifier": about,
        }
        return arrays, meta

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        near, dense = (
            {name.removeprefix(part): array for name, array in arrays.items() if name.startswith(part)}
            for part in ("near/", "dense/")
        )
        try:
            reading = READINGS[meta["reading"]]
            classifier = TextClassifier.from_state(arrays, meta["classifier"], reading.tokenize)
            antigens = TextAntigens.from_state(near, int(meta["antigens"]))
            vectors = DenseClassifier.from_state(classifier.classes, dense) if dense else None
            return cls(meta["column"], meta["reading"], meta["own"], classifier, antigens, int(meta["rows"]), vectors)
        except (KeyError, ValueError, IndexError) as error:
            raise ArtifactError(f"The labelled model lacks a part: {error}.", "Train the agent again.") from error


def kept_antigens(own: IntArray, seed: int) -> IntArray:
    """Which of the self rows ``own`` are kept as antigens, sorted."""
    return np.sort(np.random.default_rng([seed, 13]).permutation(own)[:ANTIGENS])
