"""What the presets of tables compute: which components, how they weigh, and how many antigens.

The weights lie on a flat plateau: they were chosen on 43 public sets, and half of the sets would have chosen nearly the same for the
other half. What counts is that views differ; whitening added nothing to the three that are left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

VIEWS = "zrgw"
"""The views of ``views.Views``, by their letters."""
SIEVE = "sieve"
"""The preset that finds suspect rows; it looks at random subspaces and single values, which a dirty self spoils least."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Which components are computed, what each weighs, the fewest and most antigens, and the random subspaces."""

    weights: Mapping[str, float]
    antigens: tuple[int, int] = (1536, 4096)
    groups: int = 4
    subspaces: int = 8
    subspace_antigens: int = 512

    @property
    def components(self) -> tuple[str, ...]:
        return tuple(self.weights)

    def views(self) -> tuple[str, ...]:
        """The views that need a search over all antigens, each once."""
        return tuple(v for v in VIEWS if v + "1" in self.components or v + "rat" in self.components)

    def seen(self) -> str:
        """The views that rows are projected into: z and r tell and explain, also where nothing is searched in them."""
        return "".join(v for v in VIEWS if v in "zr" or v in self.views())


PRESETS: Mapping[str, Preset] = {
    "immune": Preset({"z1": 2, "r1": 1, "g1": 1, "zrat": 0.5, "rrat": 0.5, "grat": 0.5, "h": 1}),
    "lite": Preset({"z1": 2, "r1": 1.5, "zrat": 0.5, "rrat": 0.5, "h": 1}, antigens=(1024, 2048)),
    "dense": Preset({"z1": 0.5, "wrat": 1}),
    SIEVE: Preset({"rsub": 1, "zsub": 1, "h": 1}, antigens=(512, 512), subspaces=24, subspace_antigens=64),
}


def plan_of(preset: str, projected: bool) -> Preset:
    """What a preset computes; for projected embeddings all but the sieve do the same."""
    return PRESETS["dense" if projected and preset != SIEVE else preset]
