"""The dendritic cell: one score from many calibrated signals.

Surprisals of components are averaged, which is the log of a geometric mean of p-values (Vovk and Wang, "Combining p-values via
averaging", 2020), plus a part of the strongest, so that one view alone can raise an alarm. A B-cell's surprisal is added.
"""

from __future__ import annotations

from immunos_tui.immune.table import FloatArray

STRONGEST = 0.25
"""Weight of the strongest component beside the mean of all."""


def fuse(nats: FloatArray) -> FloatArray:
    """The score of each row from its components' surprisals, (n, c) to (n,), in nats."""
    score: FloatArray = nats.mean(axis=1)
    if nats.shape[1] > 1:
        score = score + STRONGEST * nats.max(axis=1)
    return score
