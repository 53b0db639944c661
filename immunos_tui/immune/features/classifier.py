"""The B-cell of text: multinomial logistic regression on hashed words, word pairs and character fragments.

Trained by AdaGrad (Duchi, Hazan and Singer 2011) over small batches: ten passes over 15 000 comments take seconds where full
gradient steps take a minute, at the same accuracy. Class weights make rare classes count (King and Zeng 2001).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.components import Arrays, Meta, Progress, quiet
from immunos_tui.immune.features import hashing
from immunos_tui.immune.features.dense import softmax
from immunos_tui.immune.features.hashing import Bags, Tokenizer, words_of
from immunos_tui.immune.features.layout import layout
from immunos_tui.immune.table import FloatArray, IntArray
from immunos_tui.model.errors import ArtifactError, DataError
from immunos_tui.model.text import clean

BITS = 18
"""Hashed features: words and word pairs in the lower half of twice as many places, fragments in the upper."""

PASSES = 12
BATCH = 256
RATE = 1.0
SHRINK = 1e-6
_START = 1e-3

Float32 = NDArray[np.float32]


def looking_words(text: str) -> list[str]:
    """The words of a text, and after them words for its look: length, digits, capitals and signs in coarse steps."""
    words = words_of(text)
    numbers = [f"number:{min(len(word), 12)}" for word in words if word.isdigit()]
    look = layout([text])[0]
    steps = (math.log2(look[0] + 1), look[1] * 20, look[2] * 10, look[3] * 20, math.log2(look[5] + 1))
    return [*words, *numbers, *(f"{name}:{int(step)}" for name, step in zip(_LOOKS, steps, strict=True))]


_LOOKS = ("length", "digits", "capitals", "signs", "longest")


@dataclass(frozen=True, slots=True)
class TextClassifier:
    """Weights (features, classes) and biases (classes,) over the classes that the labels had.

    ``idf`` (features,) weighs the counts; ``fragments`` says whether character fragments are used.
    """

    classes: tuple[str, ...]
    weights: Float32
    bias: Float32
    idf: Float32
    fragments: bool
    tokenize: Tokenizer = looking_words

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        labels: Sequence[str],
        *,
        fragments: bool = True,
        tokenize: Tokenizer = looking_words,
        **options: Any,
    ) -> TextClassifier:
        """Learn classes from (n,) texts and (n,) labels; ``options`` and errors are those of ``fit_bags``."""
        bags = read_bags(texts, fragments, tokenize)
        return cls.fit_bags(bags, labels, fragments=fragments, tokenize=tokenize, **options)

    @classmethod
    def fit_bags(
        cls,
        bags: Bags,
        labels: Sequence[str],
        *,
        seed: int = 0,
        balanced: bool = True,
        fragments: bool = True,
        passes: int = PASSES,
        tokenize: Tokenizer = looking_words,
        progress: Progress = quiet,
    ) -> TextClassifier:
        """Learn classes from (n,) labels and the bags (n) that ``read_bags`` made with this tokenizer and these fragments.

        ``balanced`` weighs classes by the inverse of their size. Raises DataError for fewer than two classes.
        """
        classes, target = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
        if len(classes) < 2:
            raise DataError("The labels have only one class.", "Text with at least two labels is needed.")
        counts = np.bincount(bags.keys, minlength=_places(fragments))
        idf = (np.log((1.0 + len(bags)) / (1.0 + counts)) + 1.0).astype(np.float32)
        values = _weigh(bags, idf)
        sizes = np.bincount(target)
        shares = len(target) / (len(classes) * sizes) if balanced else np.ones(len(classes))
        used, place = np.unique(bags.keys, return_inverse=True)
        narrow = np.uint16 if len(used) <= 1 << 16 else np.uint32  # 16 bits are sorted in linear time
        seen = Bags(bags.start, place.reshape(-1).astype(narrow), bags.counts)
        learner = _Learner(seen, values, target, shares[target].astype(np.float32), len(used), seed)
        for step in range(passes):
            learner.run(RATE / (1 + 0.2 * step))
            progress("fit", (step + 1) / passes, f"pass {step + 1} of {passes}")
        names = tuple(str(name) for name in classes)
        weights = np.zeros((len(idf), len(names)), dtype=np.float32)
        weights[used] = learner.weights
        return cls(names, weights, learner.bias, idf, fragments, tokenize)

    def probabilities(self, texts: Sequence[str]) -> FloatArray:
        """The probability of each class for each text, (n, classes)."""
        out = np.empty((len(texts), len(self.classes)))
        for part in hashing.chunks(texts):
            out[part] = self.probabilities_of(read_bags(texts[part], self.fragments, self.tokenize))
        return out

    def probabilities_of(self, bags: Bags) -> FloatArray:
        """The probability of each class for each of the bags that ``read_bags`` made, (n, classes)."""
        return softmax(_sums(bags, _weigh(bags, self.idf), self.weights) + self.bias)

    def word_weights(self, texts: Sequence[str]) -> tuple[Bags, FloatArray]:
        """The words and word pairs of texts as bags, and the unit-length tf-idf weight of each entry."""
        bags = read_bags(texts, False, self.tokenize)
        return bags, _unit(bags, self.idf)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The likeliest class of each text."""
        return [self.classes[i] for i in self.probabilities(texts).argmax(axis=1)]

    def foreign(self, texts: Sequence[str], self_classes: Sequence[str]) -> FloatArray:
        """The log odds of each text being none of ``self_classes``, (n,): higher is more foreign."""
        return foreign_odds(self.probabilities(texts), np.isin(self.classes, list(self_classes)))

    def telling(self, text: str, name: str, top: int = 5) -> list[tuple[str, float]]:
        """The words of a text that speak most for a class, each with its weight beside the other classes' mean."""
        at = self.classes.index(name)
        tokens = list(dict.fromkeys(self.tokenize(text[: hashing.TEXT_LIMIT])))
        keys = np.array([hashing.word_key(token, BITS) for token in tokens], dtype=np.int64)
        gain = (self.weights[keys, at] - self.weights[keys].mean(axis=1)) * self.idf[keys]
        order = np.argsort(-gain, kind="stable")
        looks = {f"{name}:" for name in (*_LOOKS, "number")} if self.tokenize is looking_words else set()
        said = [i for i in order if gain[i] > 0 and _is_word(tokens[i], looks)]
        return [(clean(tokens[i], 40), float(gain[i])) for i in said[:top]]

    def state(self) -> tuple[Arrays, Meta]:
        """Arrays and a JSON-ready mapping that ``from_state`` reads back; features without weight are left out."""
        used = np.flatnonzero(self.weights.any(axis=1))
        rare = float(self.idf.max())
        idf = np.flatnonzero(self.idf < rare)
        arrays: Arrays = {"used": used, "weights": self.weights[used], "bias": self.bias}
        arrays |= {"idf_keys": idf, "idf": self.idf[idf]}
        return arrays, {"classes": list(self.classes), "fragments": self.fragments, "rare": rare}

    @classmethod
    def from_state(
        cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any], tokenize: Tokenizer = looking_words
    ) -> TextClassifier:
        """The classifier that ``state`` described. Raises ArtifactError where a part is missing."""
        try:
            fragments = bool(meta["fragments"])
            weights = np.zeros((_places(fragments), len(meta["classes"])), dtype=np.float32)
            weights[arrays["used"]] = arrays["weights"]
            idf = np.full(len(weights), meta["rare"], dtype=np.float32)
            idf[arrays["idf_keys"]] = arrays["idf"]
            return cls(tuple(meta["classes"]), weights, arrays["bias"], idf, fragments, tokenize)
        except (KeyError, IndexError, ValueError) as error:
            raise ArtifactError(f"The text classifier lacks a part: {error}.", "Train the agent again.") from error


def foreign_odds(probabilities: FloatArray, own: NDArray[np.bool_]) -> FloatArray:
    """The log odds of being none of the ``own`` (classes,) ones, from probabilities (n, classes)."""
    p = np.clip(probabilities[:, ~own].sum(axis=1), 1e-12, 1 - 1e-12)
    odds: FloatArray = np.log(p) - np.log1p(-p)
    return odds


def _is_word(token: str, looks: set[str]) -> bool:
    """Whether a token stands in the text as a word: not a sign, and not the name of a look such as ``length:5``."""
    return any(sign.isalnum() for sign in token) and token[: token.find(":") + 1] not in looks


class _Learner:
    """Weights in the making; the order of the batches is all that the seed decides."""

    def __init__(
        self, bags: Bags, values: Float32, target: IntArray, importance: Float32, places: int, seed: int
    ) -> None:
        classes = int(target.max()) + 1
        self.weights = np.zeros((places, classes), dtype=np.float32)
        self.bias = np.zeros(classes, dtype=np.float32)
        self._squares = np.full((places, classes), _START, dtype=np.float32)
        self._bias_squares = np.full(classes, _START, dtype=np.float32)
        self._bags, self._values, self._target, self._importance = bags, values, target, importance
        self._rng = np.random.default_rng(seed)

    def run(self, rate: float) -> None:
        """One pass over all texts in a new order."""
        order = self._rng.permutation(len(self._bags))
        for start in range(0, len(order), BATCH):
            self._step(np.sort(order[start : start + BATCH]), rate)

    def _step(self, rows: IntArray, rate: float) -> None:
        batch, values = _take(self._bags, self._values, rows)
        error = softmax(_sums(batch, values, self.weights) + self.bias).astype(np.float32)
        error[np.arange(len(rows)), self._target[rows]] -= 1
        error *= self._importance[rows, None] / len(rows)
        order = np.argsort(batch.keys, kind="stable")
        ordered = batch.keys[order]
        if len(ordered):
            first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
            keys = ordered[first]
            each = error[batch.rows[order]] * values[order, None]
            gradient = np.add.reduceat(each, first, axis=0) + SHRINK * self.weights[keys]
            squares = self._squares[keys] + gradient * gradient
            self._squares[keys] = squares
            self.weights[keys] -= rate * gradient / np.sqrt(squares)
        push = error.sum(axis=0)
        self._bias_squares += push * push
        self.bias -= rate * push / np.sqrt(self._bias_squares)


def take_bags(bags: Bags, rows: IntArray) -> Bags:
    """The bags of the rows ``rows``, in that order."""
    start, places = _places_of(bags, rows)
    return Bags(start, bags.keys[places], bags.counts[places])


def _take(bags: Bags, values: Float32, rows: IntArray) -> tuple[Bags, Float32]:
    start, places = _places_of(bags, rows)
    return Bags(start, bags.keys[places], bags.counts[places]), values[places]


def _places_of(bags: Bags, rows: IntArray) -> tuple[IntArray, IntArray]:
    sizes = bags.start[rows + 1] - bags.start[rows]
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return start, np.repeat(bags.start[rows] - start[:-1], sizes) + np.arange(start[-1])


def _places(fragments: bool) -> int:
    return (2 if fragments else 1) << BITS


def read_bags(texts: Sequence[str], fragments: bool, tokenize: Tokenizer) -> Bags:
    """The hashed features of texts: words and word pairs, and where asked for runs of 3 and 4 bytes."""
    parts = [_some_bags(texts[part], fragments, tokenize) for part in hashing.chunks(texts)]
    sizes = [np.diff(part.start) for part in parts]
    start = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]) if parts else np.zeros(1)
    keys = np.concatenate([part.keys for part in parts]) if parts else np.zeros(0, dtype=np.uint32)
    counts = np.concatenate([part.counts for part in parts]) if parts else np.zeros(0, dtype=np.int64)
    return Bags(start.astype(np.int64), keys, counts)


def _some_bags(texts: Sequence[str], fragments: bool, tokenize: Tokenizer) -> Bags:
    rows, keys = hashing.word_pairs(texts, tokenize)
    pair_rows, pair_keys = hashing.bigrams(rows, keys)
    all_rows, all_keys = [rows, pair_rows], [hashing.fold(keys, BITS), hashing.fold(pair_keys, BITS)]
    if fragments:
        gram_rows, gram_keys = hashing.gram_pairs(texts)
        all_rows.append(gram_rows)
        all_keys.append(hashing.fold(gram_keys, BITS) + np.uint32(1 << BITS))
    return Bags.of(np.concatenate(all_rows), np.concatenate(all_keys), len(texts))


def _unit(bags: Bags, idf: Float32) -> FloatArray:
    """(1 + ln tf) idf of each entry, of unit length for each text."""
    weight: FloatArray = (1 + np.log(bags.counts)) * idf[bags.keys].astype(np.float64)
    length = np.sqrt(bags.sum(weight * weight))
    unit: FloatArray = weight / np.where(length > 0, length, 1.0)[bags.rows]
    return unit


def _weigh(bags: Bags, idf: Float32) -> Float32:
    return _unit(bags, idf).astype(np.float32)


def _sums(bags: Bags, values: Float32, weights: Float32) -> FloatArray:
    """The weighted sum of each text's features, (n, classes)."""
    out = np.zeros((len(bags), weights.shape[1]))
    filled = np.flatnonzero(np.diff(bags.start))
    if len(filled):
        each = weights[bags.keys] * values[:, None]
        out[filled] = np.add.reduceat(each, bags.start[filled], axis=0)
    return out
