"""Trains a model of texts: counts over all of self, antigens drawn from the different texts, and self's own scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.components import Arrays, Meta, Progress
from immunos_tui.immune.features import hashing
from immunos_tui.immune.features.hashing import GRAM_BITS, WORD_BITS, Bags
from immunos_tui.immune.features.layout import LAYOUT, LayoutModel
from immunos_tui.immune.features.neighbours import TextAntigens
from immunos_tui.immune.features.reading import read_features
from immunos_tui.immune.table import FloatArray, IntArray

if TYPE_CHECKING:
    from immunos_tui.immune.features.novelty import NoveltyModel

ANTIGENS = 2048
"""Different self texts that are kept to find the nearest one."""

LOO_ROWS = 4096
"""Self texts that are scored to calibrate, at most."""


def learn(
    owner: type[NoveltyModel], column: str, texts: Sequence[str], seed: int, progress: Progress
) -> tuple[Arrays, Meta]:
    """The arrays and the description from which ``owner`` is made; ``texts`` are masked."""
    rng = np.random.default_rng(seed)
    place: dict[str, int] = {}
    which = np.array([place.setdefault(text, len(place)) for text in texts], dtype=np.int64)
    once = list(place)
    copies = np.bincount(which, minlength=len(once))
    arrays = _counts(owner, once, which, copies, progress)
    _, first = np.unique(which, return_index=True)
    chosen = np.sort(rng.permutation(len(once))[:ANTIGENS])
    arrays |= {"antigen_rows": first[chosen], "copies": copies[chosen]}
    arrays |= _no_scores(owner)
    meta: Meta = {"column": column, "rows": len(texts), "antigens": len(chosen), "different": len(once)}
    progress("fit", 0.6, f"{len(chosen)} antigens")
    arrays |= _antigens(owner, column, arrays, meta, [once[i] for i in chosen])
    rows = np.sort(rng.permutation(len(texts))[:LOO_ROWS])
    return arrays | _scores(owner(column, len(texts), arrays, meta), once, which, chosen, rows, progress), meta


def _no_scores(owner: type[NoveltyModel]) -> Arrays:
    """Stand-ins for what is only known once self was scored."""
    empty = TextAntigens(np.zeros(0, np.uint32), np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0), 1)
    looks = len(LAYOUT) if owner.reading.layout else 0
    return {
        "loo": np.zeros((0, 4)),
        "spread": np.zeros((3, 4)),
        "usual_looks": np.zeros(looks),
        "usual_new": np.zeros(1),
        **empty.state(),
    }


def _counts(
    owner: type[NoveltyModel], once: Sequence[str], which: IntArray, copies: IntArray, progress: Progress
) -> Arrays:
    """In how many texts each word and fragment occurs, the looks, and how often each masked text does."""
    words, grams = np.zeros(1 << WORD_BITS), np.zeros(1 << GRAM_BITS)
    looks, templates = [], []
    for part in hashing.chunks(once):
        found = read_features(owner.reading, once[part])
        words += _documents(found.words, copies[part], WORD_BITS)
        grams += _documents(found.grams, copies[part], GRAM_BITS)
        looks.append(found.look)
        templates.append(found.template)
        progress("fit", 0.5 * part.stop / len(once), f"{part.stop} of {len(once)} different texts")
    keys, at = np.unique(np.concatenate(templates), return_inverse=True)
    arrays: Arrays = {"template_keys": keys, "template_counts": np.bincount(at, weights=copies).astype(np.int64)}
    for name, counts in (("word", words), ("gram", grams)):
        used = np.flatnonzero(counts)
        arrays |= {f"{name}_keys": used.astype(np.uint32), f"{name}_values": counts[used].astype(np.int64)}
    if owner.reading.layout:
        values = np.concatenate(looks)[which]
        arrays |= LayoutModel.fit(values).state()
        arrays["look_quantiles"] = np.quantile(values, [0.01, 0.5, 0.99], axis=0)
    return arrays


def _documents(bags: Bags, copies: IntArray, bits: int) -> NDArray[np.float64]:
    weights = copies[bags.rows].astype(np.float64)
    return np.bincount(bags.keys, weights=weights, minlength=1 << bits).astype(np.float64)


def _antigens(owner: type[NoveltyModel], column: str, arrays: Arrays, meta: Meta, texts: Sequence[str]) -> Arrays:
    model = owner(column, int(meta["rows"]), arrays, meta)
    parts = [read_features(owner.reading, texts[part]).words for part in hashing.chunks(texts)]
    bags = _join(parts)
    return TextAntigens.of(bags, model.tf_idf(bags)).state()


def _join(parts: Sequence[Bags]) -> Bags:
    sizes = np.concatenate([np.diff(part.start) for part in parts])
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    keys = np.concatenate([part.keys for part in parts])
    return Bags(start, keys, np.concatenate([part.counts for part in parts]))


def _scores(
    model: NoveltyModel,
    once: Sequence[str],
    which: IntArray,
    chosen: IntArray,
    rows: IntArray,
    progress: Progress,
) -> Arrays:
    """Leave-one-out scores of some rows of self, and what is usual among them."""
    antigen_of = np.full(len(once), -1, dtype=np.int64)
    antigen_of[chosen] = np.arange(len(chosen))
    needed, at = np.unique(which[rows], return_inverse=True)
    texts = [once[i] for i in needed]
    scores, looks, new = [], [], []
    for part in hashing.chunks(texts):
        found = read_features(model.reading, texts[part])
        evidence = model.judge(found, antigen_of[needed[part]])
        scores.append(evidence.scores)
        looks.append(evidence.detail["looks"])
        new.append(evidence.detail["new"])
        progress("calibrate", part.stop / len(texts), f"{part.stop} of {len(texts)} texts")
    loo: FloatArray = np.concatenate(scores)[at]
    usual = np.concatenate(looks)[at].mean(axis=0)
    spread = np.quantile(loo, [0.5, 0.9, 0.99], axis=0)
    most = np.quantile(np.concatenate(new)[at], 0.99)
    return {"loo": loo, "loo_rows": rows, "spread": spread, "usual_looks": usual, "usual_new": np.array([most])}
