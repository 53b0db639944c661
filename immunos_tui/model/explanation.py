"""Why a row was flagged, as plain values that a screen, a report and a database row can carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ReasonDirection = Literal["above", "below", "unseen", "changed"]


@dataclass(frozen=True, slots=True)
class FeatureReason:
    """One feature's part in a finding.

    ``self_range`` says what self looks like ("99 %: below 60"); ``share`` is the part of the whole evidence, 0 to 1;
    ``percentile`` is where the value lies among self, 0 to 100, and 100 for a value that self never had.
    """

    name: str
    value: str
    direction: ReasonDirection
    self_range: str
    share: float
    percentile: float

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FeatureReason:
        return cls(**{name: data[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one row is foreign, plain words first.

    ``margin`` counts how many times the row is outside self's tolerance (1.0 is the edge); ``nearest_row`` is the row of the
    training data that is most like it, -1 when there is none, and ``nearest_text`` what it says there; ``components`` are the views that fired on their own;
    ``memory`` names the remembered threat or tolerated sample that it matches, and is empty when none does.
    """

    sentence: str
    reasons: tuple[FeatureReason, ...]
    margin: float
    nearest_row: int
    nearest_distance: float
    components: tuple[str, ...] = ()
    memory: str = ""
    notes: tuple[str, ...] = ()
    nearest_text: str = ""

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping that ``from_dict`` reads back."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {**values, "reasons": [reason.as_dict() for reason in self.reasons]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Explanation:
        return cls(
            sentence=data["sentence"],
            reasons=tuple(FeatureReason.from_dict(reason) for reason in data["reasons"]),
            margin=data["margin"],
            nearest_row=data["nearest_row"],
            nearest_distance=data["nearest_distance"],
            components=tuple(data.get("components", ())),
            memory=data.get("memory", ""),
            notes=tuple(data.get("notes", ())),
            nearest_text=data.get("nearest_text", ""),
        )
