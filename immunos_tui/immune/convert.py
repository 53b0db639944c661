"""Chunks of records to arrays: numbers as float64, everything else as text, with kinds that were fixed beforehand."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.kinds import Tally
from immunos_tui.immune.npzfile import NpzChunk, Part
from immunos_tui.immune.records import Chunk
from immunos_tui.immune.table import Kind

AnyChunk = Chunk | NpzChunk
Kinds = Mapping[str, Kind] | Iterable[tuple[str, Kind]]


def numbers(values: Sequence[str], tally: Tally, first_row: int = 0) -> NDArray[np.float64]:
    """Texts as (n,) float64; a date is its seconds since 1970, what cannot be read is NaN and counted in ``tally``."""
    try:
        array = np.array(values, dtype=np.float64)
    except ValueError:
        return np.array(tally.slow(values, first_row), dtype=np.float64)
    count_numbers(array, tally)
    return array


def count_numbers(array: NDArray[np.float64], tally: Tally) -> None:
    """Adds the numbers, missing and infinite values of an (n,) array to the tally."""
    finite = int(np.count_nonzero(np.isfinite(array)))
    missing = int(np.count_nonzero(np.isnan(array))) if finite < len(array) else 0
    tally.missing += missing
    tally.numbers += len(array) - missing
    tally.infinite += len(array) - missing - finite


def part_matrix(part: Part) -> NDArray[Any]:
    """The values of a part as an (n, width) array of its own type."""
    flat = np.frombuffer(part.data, dtype=np.dtype(part.dtype))
    return flat.reshape(part.width, -1).T if part.by_column else flat.reshape(-1, part.width)


@dataclass(slots=True)
class Converted:
    """One chunk's columns: ``numbers`` by name as (n,) float64 and ``words`` by name as lists of text."""

    numbers: dict[str, NDArray[np.float64]]
    words: dict[str, list[str]]


class Converter:
    """Takes the wanted columns out of chunks whose fields come in the order of ``names``.

    ``tallies`` holds, for each number column, what was found in it so far.
    """

    def __init__(self, names: Sequence[str], kinds: Mapping[str, Kind]) -> None:
        places = {name: place for place, name in enumerate(names)}
        self.number_places = {name: places[name] for name, kind in kinds.items() if kind == "number"}
        self.word_places = {name: places[name] for name, kind in kinds.items() if kind != "number"}
        self.tallies = {name: Tally() for name in self.number_places}

    def convert(self, chunk: AnyChunk) -> Converted:
        """The wanted columns of a chunk."""
        if isinstance(chunk, NpzChunk):
            return self._arrays(chunk)
        matrix = self._plain(chunk)
        if matrix is None:
            columns = list(zip(*chunk.fields(), strict=True))
            found = {
                name: numbers(columns[place], self.tallies[name], chunk.first_row)
                for name, place in self.number_places.items()
            }
            return Converted(found, {name: list(columns[place]) for name, place in self.word_places.items()})
        found = dict(zip(self.number_places, matrix.T, strict=True))
        for name, array in found.items():
            count_numbers(array, self.tallies[name])
        return Converted(found, self._words(chunk))

    def _plain(self, chunk: Chunk) -> NDArray[np.float64] | None:
        """All number columns at once by numpy's parser, several times as fast as text fields; None if it fails."""
        if not chunk.delimiter or not self.number_places:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                matrix = np.loadtxt(
                    list(chunk.raw),
                    dtype=np.float64,
                    delimiter=chunk.delimiter,
                    usecols=list(self.number_places.values()),
                    comments=None,
                    ndmin=2,
                )
        except ValueError:
            return None
        return np.asfortranarray(matrix) if len(matrix) == len(chunk) else None

    def _words(self, chunk: Chunk) -> dict[str, list[str]]:
        if not self.word_places:
            return {}
        last = max(self.word_places.values()) + 1
        split = [line.split(chunk.delimiter, last) for line in chunk.raw]
        return {name: [fields[place] for fields in split] for name, place in self.word_places.items()}

    def _arrays(self, chunk: NpzChunk) -> Converted:
        found: dict[str, NDArray[np.float64]] = {}
        words: dict[str, list[str]] = {}
        start = 0
        for part in chunk.parts:
            texts = self._texts(part, start)
            for name, values in texts.items():
                if name in self.number_places:
                    found[name] = numbers(values, self.tallies[name], chunk.first_row)
                else:
                    words[name] = values
            for name, place in self.number_places.items():
                if name not in texts and start <= place < start + part.width:
                    found[name] = part_matrix(part)[:, place - start].astype(np.float64)
                    count_numbers(found[name], self.tallies[name])
            start += part.width
        return Converted(found, words)

    def _texts(self, part: Part, start: int) -> dict[str, list[str]]:
        """The wanted columns of a part that are needed as text, or that only exist as text."""
        wanted = dict(self.word_places)
        if part.dtype[1] in "US":
            wanted |= self.number_places
        inside = {name: place - start for name, place in wanted.items() if start <= place < start + part.width}
        rows = part.texts() if inside else []
        return {name: [row[at] for row in rows] for name, at in inside.items()}
