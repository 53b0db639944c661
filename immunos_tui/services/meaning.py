"""Dense vectors of texts as a further view, asked from the embedding model that the settings name."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
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

MOST_TEXTS = 30_000
"""Rows of a dataset that vectors are asked for; of a larger one evenly spaced rows are learned and judged."""
KEPT_NUMBERS = 8_000_000
"""Numbers of vectors that a scan keeps for texts that come back, as log lines do: 32 MB."""
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
        table = self._of_all(dataset.table, progress)
        return replace(dataset, table=table, problems=problems, embedding=self.about)

    def of_table(self, table: Table) -> Table:
        """A batch's texts, a table of one column, with their vectors beside them; raises as ``of_dataset`` does."""
        place, which = _places(table)
        self._check(bool(place))
        new = [text for text in place if text not in self._known]
        for text, vector in zip(new, (vector for part in self._embedder.vectors(new) for vector in part), strict=True):
            self._known[text] = array("f", vector)
        flat: array[float] = array("f")
        for text in place:
            flat.extend(self._known[text])
        if len(self._known) * self._embedder.width > KEPT_NUMBERS:
            self._known = {}
        return with_flat_vectors(table, flat, len(place), which)

    def _of_all(self, table: Table, progress: Progress) -> Table:
        place, which = _places(table)
        self._check(bool(place))
        flat, texts = array("f"), list(place)
        done = 0
        for part in self._embedder.vectors(texts):
            for vector in part:
                flat.extend(vector)
            done += len(part)
            progress("embed", done / len(texts), f"{done} of {len(texts)} texts")
        return with_flat_vectors(table, flat, len(place), which)

    def _check(self, asked: bool) -> None:
        if self._digest or not asked:
            return
        self._digest = self._embedder.digest()
        if self._trained and self._digest != self._trained["digest"]:
            raise ConflictError(
                f"The model {clean(self._embedder.model, 80)!r} is not the one that the agent was trained with: its content "
                "has changed.",
                "Bring that model back to the server, or train the agent again.",
            )

    def close(self) -> None:
        """Close the connection."""
        self._embedder.close()


def _places(table: Table) -> tuple[dict[str, int], list[int]]:
    """The different texts of a table of one column, each with its place, and the place of each row's text."""
    place: dict[str, int] = {}
    which = [place.setdefault(str(text), len(place)) for text in table.columns[0].values]
    return place, which
