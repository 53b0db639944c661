"""Messages, comments, answers and claims: one-class novelty of text. A labelled B-cell for text is in ``classifier``.

Measured against the alternatives: rare words and unseen fragments over the root of the length, and the look of a text, carry different evidence, and their calibrated sum beats each of them. Latent semantic spaces fail, since a word that self
never had projects to the origin.
"""

from __future__ import annotations

from typing import ClassVar

from immunos_tui.immune.features.hashing import words_of
from immunos_tui.immune.features.novelty import NoveltyModel
from immunos_tui.immune.features.reading import Reading


def as_it_is(text: str) -> str:
    """Text is not masked: digits and names are part of what is said."""
    return text


class TextModel(NoveltyModel):
    """Self as a set of messages."""

    kind: ClassVar[str] = "text"
    reading: ClassVar[Reading] = Reading(as_it_is, words_of, layout=True, length_power=0.5)
