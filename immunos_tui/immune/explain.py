"""Explanations in plain words first, made from a model's reasons and the calibrated score."""

from __future__ import annotations

from immunos_tui.model.explanation import FeatureReason


def sentence(reasons: tuple[FeatureReason, ...], margin: float, memory: str) -> str:
    """One sentence: what is odd, what self looks like, and how far outside the row lies."""
    parts = []
    if memory:
        parts.append(memory)
    if reasons:
        parts.append(headline(reasons[0]))
    if margin > 1:
        parts.append(
            f"the row lies {margin:.{0 if margin >= 10 else 1}f} times outside the tolerance of its nearest self row"
        )
    elif not parts:
        parts.append("nothing stands out: the row lies inside self's tolerance")
    return "; ".join(parts) + "."


def headline(reason: FeatureReason) -> str:
    """What an issue is titled with: "serror_rate 1, self is up to 0.05 (99 %)"."""
    level, _, bound = reason.self_range.partition(": ")
    known = f"self is {bound} ({level})" if bound and level.endswith("%") else f"self is {reason.self_range}"
    if reason.direction == "unseen":
        return f"{reason.name} {reason.value} was never seen, {known}"
    if reason.direction == "changed":
        return (
            f"{reason.name} {reason.value} is rare, {known}"
            if "%" in known
            else f"{reason.name} {reason.value}, {known}"
        )
    return f"{reason.name} {reason.value}, {known}"
