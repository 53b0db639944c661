"""Dense vectors of texts as a further view, asked from the embedding model that the settings name."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from immunos_tui.config import Settings
from immunos_tui.immune.dataset import TEXT_PIPELINES, Dataset
from immunos_tui.immune.features.logs import are_sequences
from immunos_tui.immune.features.meaning import with_flat_vectors
from immunos_tui.immune.table import Table
from immunos_tui.immune.views import spread
from immunos_tui.llm import egress
from immunos_tui.llm.embeddings import Embedder
from immunos_tui.model.errors import ConflictError
from immunos_tui.model.text import clean

Progress = Callable[[str, float, str], None]

MOST_TEXTS = 60_000
"""Rows of a dataset that vectors are asked for; of a larger one evenly spaced rows are learned and judged."""
KEPT = 20_000
"""Vectors that are kept for texts that come back, as log lines do."""
SCAN_ROWS = 512
"""Rows of a scan's batch where each text is sent to a model: its progress is told once a batch."""


class Meaning:
    """Asks one embedding model. Made for one job; ``close`` it."""

    def __init__(self, settings: Settings, model: str, trained: Mapping[str, Any] | None = None) -> None:
        egress.guard(settings.network.offline, settings.network.allow)
        self._embedder = Embedder(settings.ollama.url, model)
        self._trained = trained
        self._digest = ""
        self._known: dict[str, array[float]] = {}

    @classmethod
    def for_training(cls, settings: Settings, pipeline: str) -> Meaning | None:
        """The model that the settings name; None where there is none, or the pipeline reads no texts."""
        wanted = settings.profile == "full" and settings.ollama.embed_model and pipeline in TEXT_PIPELINES
        return cls(settings, settings.ollama.embed_model) if wanted else None

    @classmethod
    def as_trained(cls, settings: Settings, trained: Mapping[str, Any] | None) -> Meaning | None:
        """The model that an agent was trained with; None where it was trained without.

        Raises:
            ConflictError: the profile lite loads no model.
        """
        if not trained:
            return None
        if settings.profile != "full":
            raise ConflictError(
                f"The agent was trained with vectors of {clean(trained['model'], 80)}, and the profile lite loads no model.",
                'Set profile = "full", or train the agent again without vectors.',
            )
        return cls(settings, trained["model"], trained)

    @property
    def about(self) -> dict[str, Any]:
        """Which model made the vectors: its name, the digest of its content, and the length of a vector."""
        return {"model": self._embedder.model, "digest": self._digest, "dimensions": self._embedder.width}

    def of_dataset(self, dataset: Dataset, progress: Progress) -> Dataset:
        """The dataset with the vectors of its texts. An agent is not trained with those of event sequences, which have no meaning
        that a language model knows.

        Raises:
            UnreachableError, NotFoundError, DataError: the server or the model is not there, or makes no vectors.
            ConflictError: the model is not the one that the agent was trained with.
        """
        if self._trained is None and are_sequences([str(text) for text in dataset.table.columns[0].values[:1000]]):
            return dataset
        problems = dataset.problems
        if dataset.rows > MOST_TEXTS:
            problems = (
                *problems,
                f"Of {dataset.rows} texts {MOST_TEXTS}, evenly spaced, were used: each is sent to the embedding model.",
            )
            dataset = dataset.take(spread(dataset.rows, MOST_TEXTS))
        table = self.of_table(dataset.table, progress)
        return replace(dataset, table=table, problems=problems, embedding=self.about)

    def of_table(self, table: Table, progress: Progress | None = None) -> Table:
        """A table of one column of texts with their vectors beside them; raises as ``of_dataset`` does."""
        texts = [str(text) for text in table.columns[0].values]
        place: dict[str, int] = {}
        which = [place.setdefault(text, len(place)) for text in texts]
        if place and not self._digest:
            self._check()
        found = self._vectors(list(place), progress)
        return with_flat_vectors(table, found, len(place), which)

    def _check(self) -> None:
        self._digest = self._embedder.digest()
        if self._trained and self._digest != self._trained["digest"]:
            raise ConflictError(
                f"The model {clean(self._embedder.model, 80)!r} is not the one that the agent was trained with: its content "
                "has changed.",
                "Bring that model back to the server, or train the agent again.",
            )

    def _vectors(self, texts: Sequence[str], progress: Progress | None) -> array[float]:
        """The vectors of different texts, one after another."""
        new = [text for text in texts if text not in self._known]
        if len(self._known) + len(new) > KEPT:
            self._known = {text: self._known[text] for text in texts if text in self._known}
        made: dict[str, array[float]] = {}
        for part in self._embedder.vectors(new):
            for text, vector in zip(new[len(made) : len(made) + len(part)], part, strict=True):
                made[text] = array("f", vector)
            if progress is not None:
                progress("embed", len(made) / len(new), f"{len(made)} of {len(new)} texts")
        flat: array[float] = array("f")
        for text in texts:
            flat.extend(made[text] if text in made else self._known[text])
        if len(self._known) + len(made) <= KEPT:
            self._known |= made
        return flat

    def close(self) -> None:
        """Close the connection."""
        self._embedder.close()
