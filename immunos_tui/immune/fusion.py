"""The dendritic cell: one score from many calibrated signals.

Surprisals of components are averaged, which is the log of a geometric mean of p-values (Vovk and Wang, "Combining p-values via
averaging", 2020), plus a part of the strongest, so that one view alone can raise an alarm. A B-cell's surprisal is added.
"""

from __future__ import annotations

import numpy as np

from immunos_tui.immune.components import ComponentModel
from immunos_tui.immune.table import FloatArray

STRONGEST = 0.1
"""Weight of the strongest component beside the mean of all."""


def fuse(nats: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """The score of each row from its components' surprisals, (n, c) to (n,), in nats; ``weights`` (c,) are equal by default."""
    part = np.full(nats.shape[1], 1.0) if weights is None else weights
    # Summed column by column, so that a row's score does not depend on how many rows come with it.
    score = np.zeros(len(nats))
    for j, weight in enumerate(part / part.sum()):
        score += weight * nats[:, j]
    if nats.shape[1] > 1:
        score += STRONGEST * nats.max(axis=1)
    return score


def weights_of(model: ComponentModel) -> FloatArray | None:
    """The weights that a model gives its components, None where it has no opinion."""
    weights: FloatArray | None = getattr(model, "weights", None)
    return weights
