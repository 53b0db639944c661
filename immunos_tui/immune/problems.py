"""What is wrong with a dataset and yet no reason to refuse it: counted, and said once each."""

from __future__ import annotations


class Problems:
    """Sentences in the order in which they first came; the first place of each kind is kept, the rest counted."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}

    def add(self, key: str, sentence: str, count: int = 1) -> None:
        """Notes ``count`` cases of the problem ``key``; the sentence of the first case is the one that is shown."""
        if count < 1 or not sentence:
            return
        first, before = self._found.get(key, (sentence, 0))
        self._found[key] = (first, before + count)

    def sentences(self) -> tuple[str, ...]:
        return tuple(
            sentence if count == 1 else f"{sentence} ({count} in all)" for sentence, count in self._found.values()
        )
