"""Says in words why a text is foreign: the words that self never had, its look, its template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.components import ABOVE, Evidence
from immunos_tui.immune.features.hashing import TEXT_LIMIT, word_key
from immunos_tui.immune.features.layout import LAYOUT
from immunos_tui.immune.table import FloatArray, IntArray
from immunos_tui.model.explanation import FeatureReason
from immunos_tui.model.text import clean

SHOWN_WORDS = 5
_SHARES = ("digits", "capitals", "signs", "foreign letters")


class Describer:
    """Turns shares of evidence into reasons; made from the counts of self's words and self's own scores."""

    def __init__(
        self,
        tokenize: Callable[[str], list[str]],
        word_counts: IntArray,
        rows: int,
        arrays: Mapping[str, NDArray[Any]],
        has_layout: bool,
    ) -> None:
        self._tokenize, self._counts, self._rows = tokenize, word_counts, rows
        self._loo = np.sort(arrays["loo"], axis=0)
        self._spread = arrays["spread"]
        self._usual_new = float(arrays["usual_new"][0])
        self._looks = arrays["look_quantiles"] if has_layout else np.zeros((3, 0))

    def reasons(
        self, text: str, shares: FloatArray, direction: NDArray[np.int8], evidence: Evidence, top: int
    ) -> tuple[tuple[FeatureReason, ...], str]:
        """The strongest reasons for one masked text, and a note that names its words that self never had."""
        rare = self.rarest(text)
        order = [int(i) for i in np.argsort(-shares, kind="stable") if shares[i] > 0][:top]
        reasons = tuple(self._reason(i, text, rare, float(shares[i]), int(direction[i]), evidence) for i in order)
        new = [word for word, count in rare if count == 0]
        return reasons, f"words never seen in self: {', '.join(new)}" if new else ""

    def rarest(self, text: str) -> list[tuple[str, int]]:
        """The words of a text that the fewest self texts have, with that number; signs only where there is no word."""
        tokens = dict.fromkeys(self._tokenize(text[:TEXT_LIMIT]))
        words = [token for token in tokens if any(c.isalnum() for c in token)] or list(tokens)
        counted = [(clean(word, 40), int(self._counts[word_key(word)])) for word in words]
        return sorted(counted, key=lambda item: item[1])[:SHOWN_WORDS]

    def _reason(
        self, feature: int, text: str, rare: list[tuple[str, int]], share: float, side: int, evidence: Evidence
    ) -> FeatureReason:
        score = evidence.scores[0]
        usual = self._spread[2]
        part = min(feature, 3)
        rank = 100.0 * float(np.searchsorted(self._loo[:, part], score[part])) / max(1, len(self._loo))
        if feature == 0:
            alike, least = f"{1 - score[0]:.0%} like the nearest", f"99 %: at least {1 - usual[0]:.0%}"
            return FeatureReason("wording", alike, "below", least, share, rank)
        if feature == 1:
            return self._rare_words(rare, share, rank)
        if feature == 2:
            new, most = f"{float(evidence.detail['new'][0]):.0%}", f"99 %: at most {self._usual_new:.0%}"
            return FeatureReason("new fragments", new, "above", most, share, rank)
        if not len(self._looks[0]):
            shown = clean(text, 80)
            if score[3] > np.log(self._rows):
                return FeatureReason("template", shown, "unseen", f"{self._rows} lines without it", share, 100.0)
            return FeatureReason("template", shown, "below", "mostly made of commoner lines", share, rank)
        return self._look(feature - 3, evidence, share, side)

    def _rare_words(self, rare: list[tuple[str, int]], share: float, rank: float) -> FeatureReason:
        new = [word for word, count in rare if count == 0]
        if new:
            return FeatureReason("rare words", ", ".join(new), "unseen", "without them", share, rank)
        least = rare[0][1] if rare else self._rows
        shown = f"{', '.join(word for word, _ in rare[:3])} (in {least} of {self._rows} texts)"
        return FeatureReason("rare words", shown, "below", "mostly made of commoner words", share, rank)

    def _look(self, number: int, evidence: Evidence, share: float, side: int) -> FeatureReason:
        name = LAYOUT[number]
        value = float(evidence.detail["values"][0, number])
        low, middle, high = (float(bound) for bound in self._looks[:, number])
        direction = "above" if side == ABOVE else "below"
        percentile = float(np.interp(value, [low, middle, high], [1.0, 50.0, 99.0])) if high > low else 100.0
        usual = f"98 %: {_number(name, low)} to {_number(name, high)}"
        return FeatureReason(name, _number(name, value), direction, usual, share, percentile)  # type: ignore[arg-type]


def _number(name: str, value: float) -> str:
    return f"{value:.0%}" if name in _SHARES else f"{value:.4g}"
