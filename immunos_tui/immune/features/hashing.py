"""Texts as sparse bags of hashed features: the hashing trick (Weinberger et al. 2009), vectorised over many texts.

A hash is the same on every machine and in every process: CRC-32 for words, a fixed polynomial for runs of bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.table import FloatArray, IntArray

Keys = NDArray[np.uint32]
Tokenizer = Callable[[str], list[str]]

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[^\w\s]|_")
"""A word of letters, a run of digits, or one other sign."""

WORD_BITS = 18
GRAM_BITS = 20
TEXT_LIMIT = 20_000
"""Characters of one text that are looked at."""

_CHUNK_ROWS = 1024
_CHUNK_CHARACTERS = 1 << 20
_CACHE = 1 << 17
_MIX = np.uint32(0x9E3779B1)
_known: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Bags:
    """Sparse counts of ``n`` texts: text ``i`` has ``keys[start[i]:start[i + 1]]``, ascending, with ``counts``."""

    start: IntArray
    keys: Keys
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, rows: IntArray, keys: Keys, n: int) -> Bags:
        """The bags of ``n`` texts from one (row, key) pair for each occurrence."""
        pairs, counts = np.unique(
            (rows.astype(np.uint64) << np.uint64(32)) | keys.astype(np.uint64), return_counts=True
        )
        owner = (pairs >> np.uint64(32)).astype(np.int64)
        start = np.searchsorted(owner, np.arange(n + 1)).astype(np.int64)
        return cls(start, (pairs & np.uint64(0xFFFFFFFF)).astype(np.uint32), counts.astype(np.int64))

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def rows(self) -> IntArray:
        """The text of each entry, (entries,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    def sum(self, values: FloatArray) -> FloatArray:
        """The sum over each text's entries of ``values`` (entries,), as (n,)."""
        return np.bincount(self.rows, weights=values, minlength=len(self)).astype(np.float64)

    def take(self, indices: IntArray) -> Bags:
        """The bags of the texts at ``indices``, in that order."""
        sizes = np.diff(self.start)[indices]
        start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        places = np.repeat(self.start[indices] - start[:-1], sizes) + np.arange(start[-1])
        return Bags(start, self.keys[places], self.counts[places])


def words_of(text: str) -> list[str]:
    """The words, numbers and signs of a text in lower case."""
    return WORD.findall(text.lower())


def word_key(word: str, bits: int = WORD_BITS) -> int:
    """The hash of one word."""
    return crc32(word.encode("utf-8", "surrogatepass")) & ((1 << bits) - 1)


def chunks(texts: Sequence[str]) -> Iterator[slice]:
    """Slices of texts that bound the memory of their features: at most 1 024 texts and a million characters."""
    first = size = 0
    for place, text in enumerate(texts):
        length = min(len(text), TEXT_LIMIT)
        if place > first and (place - first >= _CHUNK_ROWS or size + length > _CHUNK_CHARACTERS):
            yield slice(first, place)
            first, size = place, 0
        size += length
    if len(texts) > first:
        yield slice(first, len(texts))


def word_pairs(texts: Sequence[str], tokenize: Tokenizer = words_of) -> tuple[IntArray, Keys]:
    """One full-width hash for each token of each text, in order: the token's text (t,) and its hash (t,)."""
    if len(_known) > _CACHE:
        _known.clear()
    known = _known
    found: list[int] = []
    sizes = []
    for text in texts:
        tokens = tokenize(text[:TEXT_LIMIT])
        sizes.append(len(tokens))
        for token in tokens:
            key = known.get(token)
            if key is None:
                key = known[token] = crc32(token.encode("utf-8", "surrogatepass"))
            found.append(key)
    return np.repeat(np.arange(len(texts)), sizes), np.array(found, dtype=np.uint32)


def bigrams(rows: IntArray, keys: Keys) -> tuple[IntArray, Keys]:
    """One hash for each pair of neighbouring tokens of one text."""
    same = rows[1:] == rows[:-1]
    mixed = (keys[:-1] * _MIX) ^ ((keys[1:] << np.uint32(13)) | (keys[1:] >> np.uint32(19)))
    return rows[1:][same], _finish(mixed[same])


def gram_pairs(texts: Sequence[str], sizes: Sequence[int] = (3, 4)) -> tuple[IntArray, Keys]:
    """One hash for each run of 3 and 4 bytes of each lower-cased text, with a space before and after it."""
    raw = [f" {text[:TEXT_LIMIT].lower()} ".encode("utf-8", "surrogatepass") for text in texts]
    data = np.frombuffer(b"".join(raw), dtype=np.uint8).astype(np.uint32)
    owner = np.repeat(np.arange(len(texts)), [len(part) for part in raw])
    rows, keys = [], []
    for size in sizes:
        if len(data) < size:
            continue
        inside = owner[size - 1 :] == owner[: len(owner) - size + 1]
        value = np.full(len(data) - size + 1, size, dtype=np.uint32)
        for offset in range(size):
            value = value * _MIX + data[offset : len(data) - size + 1 + offset]
        rows.append(owner[size - 1 :][inside])
        keys.append(_finish(value[inside]))
    if not rows:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint32)
    return np.concatenate(rows), np.concatenate(keys)


def _finish(value: Keys) -> Keys:
    """Spreads the bits of a hash, so that any low bits of it may be used."""
    value = (value ^ (value >> np.uint32(15))) * np.uint32(0x85EBCA6B)
    return (value ^ (value >> np.uint32(13))) * np.uint32(0xC2B2AE35) >> np.uint32(3)


def fold(keys: Keys, bits: int) -> Keys:
    """The low bits of hashes."""
    return keys & np.uint32((1 << bits) - 1)
