"""From judged rows to detections: fingerprint, title, priority, explanation and sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from immunos_tui.immune.dataset import TEXT_PIPELINES
from immunos_tui.immune.detector import Detector
from immunos_tui.immune.explain import headline
from immunos_tui.immune.features.logs import normalise
from immunos_tui.immune.judgement import DANGER, NON_SELF, Judgement
from immunos_tui.immune.memory import THREAT
from immunos_tui.immune.stream import Batch
from immunos_tui.model.agent import Agent
from immunos_tui.model.detection import Detection, Result, line_fingerprint, table_fingerprint
from immunos_tui.model.explanation import Explanation
from immunos_tui.model.issue import Priority
from immunos_tui.model.text import clean, cut
from immunos_tui.services.foundry import caveat

SAMPLE_KEPT = 400
"""Characters of a row's text that a detection keeps."""

CRITICAL_NATS = 10.0
HIGH_NATS = 5.0
"""How far above the score of the 1 % alert level a row lies that starts an issue as critical or high."""

DIRECTIONS = {1: "above", -1: "below", 0: "unseen"}


class Findings:
    """Makes the detections of one scan, batch by batch.

    ``room`` says whether one more explanation of a fingerprint is worth making.
    """

    def __init__(
        self, detector: Detector, agent: Agent, source: str, room: Callable[[str, dict[str, int]], bool]
    ) -> None:
        self._detector = detector
        self._agent = agent
        self._source = source
        self._room = room
        self._seen: dict[str, int] = {}
        self._prints: dict[tuple[int, int], str] = {}
        reference = detector.calibration.reference
        self._alert = float(reference[min(len(reference) - 1, int(0.99 * len(reference)))])
        self._by_line = agent.pipeline in TEXT_PIPELINES
        never = caveat(agent.template)
        self._caveats = (never,) if never else ()

    def of(self, batch: Batch, judged: Judgement) -> list[Detection]:
        """The detections of a batch: every row that is uncertain or worse."""
        rows: list[int] = judged.result.nonzero()[0].tolist()
        prints = [self._fingerprint(batch, judged, row) for row in rows]
        wanted = [
            index
            for index, row in enumerate(rows)
            if judged.result[row] >= NON_SELF and self._room(prints[index], self._seen)
        ]
        told = self._detector.explain(batch.table.take([rows[index] for index in wanted])) if wanted else []
        why = [replace(item, notes=(*item.notes, *self._caveats)) for item in told]
        explained = dict(zip(wanted, why, strict=True))
        return [
            self._detection(batch, judged, row, prints[index], explained.get(index)) for index, row in enumerate(rows)
        ]

    def _fingerprint(self, batch: Batch, judged: Judgement, row: int) -> str:
        if self._by_line:
            place = batch.origins[row].split(":")[0] if batch.origins else self._source
            return line_fingerprint(self._agent.name, place, normalise(self._text(batch, row)))
        spot = (int(judged.leading[row]), int(judged.direction[row]))
        if spot not in self._prints:
            feature, side = self._detector.features[spot[0]], DIRECTIONS[spot[1]]
            self._prints[spot] = table_fingerprint(self._agent.domain, self._agent.name, feature, side)
        return self._prints[spot]

    def _text(self, batch: Batch, row: int) -> str:
        """The line itself: the text column where the detector has one, else the raw row."""
        words = [column for column in batch.table.columns if column.kind != "vector"]
        alone = len(words) == 1 and words[0].kind != "number"
        return str(words[0].values[row]) if alone else batch.samples[row]

    def _detection(
        self, batch: Batch, judged: Judgement, row: int, fingerprint: str, why: Explanation | None
    ) -> Detection:
        result = Result(Judgement.RESULTS[int(judged.result[row])])
        sample = cut(self._text(batch, row) if self._by_line else batch.samples[row], SAMPLE_KEPT) if why else None
        return Detection(
            row=batch.first_row + row,
            result=result,
            score=float(judged.score[row]),
            p_value=float(judged.p[row]),
            confidence=float(judged.confidence[row]),
            fingerprint=fingerprint,
            title=self._title(why, batch, row) if why else "",
            priority=priority(
                int(judged.result[row]), float(judged.score[row]) - self._alert, int(judged.memory[row]) == THREAT
            ),
            explanation=why.as_dict() if why else None,
            sample=sample,
        )

    def _title(self, why: Explanation, batch: Batch, row: int) -> str:
        if self._by_line:
            place = f"{batch.origins[row]}: " if batch.origins else ""
            return clean(place + self._text(batch, row), 160)
        first = why.reasons[0] if why.reasons else None
        if first is None:
            return clean(why.sentence, 160)
        return clean(headline(first), 160)


def priority(result: int, excess: float, known_threat: bool) -> str:
    """Where an issue starts: by result, by how far in nats a row is above the alert level, and by memory."""
    if known_threat or (result == DANGER and excess >= CRITICAL_NATS):
        return Priority.CRITICAL
    return Priority.HIGH if excess >= HIGH_NATS else Priority.MEDIUM
