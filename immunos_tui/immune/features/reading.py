"""How a kind of text is read, and the hashed features that come of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from immunos_tui.immune.features import hashing
from immunos_tui.immune.features.hashing import GRAM_BITS, WORD_BITS, Bags, Keys
from immunos_tui.immune.features.layout import layout
from immunos_tui.immune.table import FloatArray


@dataclass(frozen=True, slots=True)
class Reading:
    """How a kind of text is read: what is masked in it, its tokens, and which components judge it."""

    mask: Callable[[str], str]
    tokenize: Callable[[str], list[str]]
    layout: bool
    length_power: float
    """Sums over a text's features are divided by their number to this power: 1 makes means, 0.5 still counts length."""


@dataclass(frozen=True, slots=True)
class Features:
    """The hashed features of some texts: words with word pairs, the keys that surprise, fragments, look and template."""

    words: Bags
    rare: Bags
    grams: Bags
    look: FloatArray
    template: Keys


def read_features(reading: Reading, texts: Sequence[str]) -> Features:
    """The hashed features of masked texts."""
    n = len(texts)
    rows, keys = hashing.word_pairs(texts, reading.tokenize)
    pair_rows, pair_keys = hashing.bigrams(rows, keys)
    both_rows = np.concatenate([rows, pair_rows])
    both = hashing.fold(np.concatenate([keys, pair_keys]), WORD_BITS)
    words = Bags.of(both_rows, both, n)
    rare = words if reading.length_power == 1 else Bags.of(rows, hashing.fold(keys, WORD_BITS), n)
    gram_rows, gram_keys = hashing.gram_pairs(texts)
    grams = Bags.of(gram_rows, hashing.fold(gram_keys, GRAM_BITS), n)
    look = layout(texts) if reading.layout else np.zeros((n, 0))
    template = np.array([hashing.word_key(text, 32) for text in texts], dtype=np.uint32)
    return Features(words, rare, grams, look, template)
