"""The measurements of the engine's benchmark, each a function that returns plain numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from immunos_tui.immune import Detector, read_dataset
from immunos_tui.immune.projection import suits
from immunos_tui.model.errors import ImmunosError

MOST_TRAINED = 5000
QUICK_ROWS = 2500


@dataclass
class Set:
    """One labelled data set: X (n, d) float64, y (n,) with 1 for an anomaly."""

    name: str
    X: np.ndarray
    y: np.ndarray

    @cached_property
    def dense(self) -> bool:
        """Whether the columns are those of an embedding; such sets are averaged apart."""
        return suits(self.X)


def load_sets(folder: Path, quick: bool) -> list[Set]:
    """Every npz file of a folder that has X and y; only the small ones when ``quick``."""
    found = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as data:
            if {"X", "y"} <= set(data.files) and (not quick or len(data["y"]) <= QUICK_ROWS):
                found.append(Set(path.stem, data["X"].astype(np.float64), (data["y"] != 0).astype(np.int64)))
    return found


def split(data: Set, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to learn from and to judge."""
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(data.y == 0))
    count = min(len(normal) // 2, MOST_TRAINED)
    return normal[:count], np.concatenate([normal[count:], np.flatnonzero(data.y == 1)])


Scorer = Callable[[np.ndarray, int], Callable[[np.ndarray], np.ndarray]]


def _ours(preset: str) -> Scorer:
    def fit(X: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
        return Detector.fit(X, preset=preset, seed=seed).score

    return fit


def _neighbours(k: int) -> Scorer:
    def fit(X: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
        scale = StandardScaler().fit(X)
        model = NearestNeighbors(n_neighbors=min(k, len(X)), n_jobs=1).fit(scale.transform(X))
        return lambda Y: model.kneighbors(scale.transform(Y))[0][:, -1]

    return fit


def _scaled(make: Callable[[int], Any]) -> Scorer:
    def fit(X: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
        scale = StandardScaler().fit(X)
        model = make(seed).fit(scale.transform(X))
        return lambda Y: -model.score_samples(scale.transform(Y))

    return fit


def _forest(X: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    model = IsolationForest(n_estimators=100, random_state=seed).fit(X)
    return lambda Y: -model.score_samples(Y)


def methods() -> dict[str, Scorer]:
    """Every method that can be compared here; those of pyod only where it is installed."""
    found: dict[str, Scorer] = {
        "immune": _ours("immune"),
        "lite": _ours("lite"),
        "IsolationForest": _forest,
        "LOF": _scaled(lambda _: LocalOutlierFactor(n_neighbors=20, novelty=True)),
        "OneClassSVM": _scaled(lambda _: OneClassSVM(nu=0.1, gamma="scale")),
        "kNN1": _neighbours(1),
        "kNN5": _neighbours(5),
    }
    try:
        from pyod.models.ecod import ECOD
        from pyod.models.hbos import HBOS
    except ImportError:
        return found

    def pyod(make: Callable[[], Any]) -> Scorer:
        return lambda X, seed: make().fit(X).decision_function

    return found | {"pyod ECOD": pyod(ECOD), "pyod HBOS": pyod(HBOS)}


def accuracy(sets: Sequence[Set], seeds: range) -> dict[str, Any]:
    """AUROC, AUPR and processor seconds by method; false-positive rates of the immune preset by set."""
    out: dict[str, Any] = {"methods": {}, "rates": {}, "per_set": {}}
    measured: dict[str, dict[str, list[Any]]] = {name: {} for name in methods()}
    # Methods take turns on every set, so that a busy machine slows all of them alike.
    for data in sets:
        for seed in seeds:
            for name, fit in methods().items():
                measured[name].setdefault(data.name, []).append(_measure(data, seed, fit))
    for name, found in measured.items():
        rows = {key: np.mean(value, axis=0) for key, value in found.items()}
        out["per_set"][name] = {key: float(value[0]) for key, value in rows.items()}
        for kind in (False, True):
            some = [rows[data.name] for data in sets if data.dense == kind]
            if some:
                out["dense_sets" if kind else "plain_sets"] = len(some)
                mean, total = np.mean(some, axis=0), np.sum(some, axis=0)
                label = f"{name} (dense)" if kind else name
                out["methods"][label] = dict(zip(("auroc", "aupr"), map(float, mean[:2]), strict=True))
                out["methods"][label] |= {"fit_s": float(total[2]), "score_s": float(total[3])}
        print(f"   {name:16} {np.mean([v[0] for v in rows.values()]):.4f}", flush=True)
    for preset in ("immune", "lite"):
        out["rates"][preset] = {
            d.name: _rates(d, seeds, preset) for d in sets if np.sum(d.y == 0) >= 1000 and not d.dense
        }
    return out


def _measure(data: Set, seed: int, fit: Scorer) -> tuple[float, float, float, float]:
    learn, judge = split(data, seed)
    begin = time.process_time()
    score = fit(data.X[learn], seed)
    middle = time.process_time()
    values = score(data.X[judge])
    end = time.process_time()
    y = data.y[judge]
    return roc_auc_score(y, values), average_precision_score(y, values), middle - begin, end - middle


def _rates(data: Set, seeds: range, preset: str) -> list[float]:
    """The share of fresh self with p <= .01 and p <= .05."""
    found = []
    for seed in seeds:
        learn, judge = split(data, seed)
        fresh = data.X[judge[data.y[judge] == 0]]
        p = Detector.fit(data.X[learn], preset=preset, seed=seed).p_values(fresh)
        found.append(((p <= 0.01).mean(), (p <= 0.05).mean()))
    return [float(v) for v in np.mean(found, axis=0)]


def dirty(sets: Sequence[Set], seeds: range) -> dict[str, Any]:
    """Mean AUROC where anomalies are mixed into the training data, at most half of them."""
    out: dict[str, Any] = {}
    for share in (0.02, 0.10):
        for name, fit in {"robust": _ours("robust"), "immune": _ours("immune"), "IsolationForest": _forest}.items():
            values = [_dirty_one(data, share, seed, fit) for data in sets if not data.dense for seed in list(seeds)[:1]]
            out[f"{name} {share:.0%}"] = float(np.mean(values))
            print(f"   {name} {share:.0%} {out[f'{name} {share:.0%}']:.4f}", flush=True)
    return out


def _dirty_one(data: Set, share: float, seed: int, fit: Scorer) -> float:
    learn, judge = split(data, seed)
    rng = np.random.default_rng([seed, 1])
    odd = rng.permutation(np.flatnonzero(data.y == 1))
    mixed = odd[: min(round(share / (1 - share) * len(learn)), len(odd) // 2)]
    rows = np.concatenate([learn, mixed])
    left = np.setdiff1d(judge, mixed)
    return float(roc_auc_score(data.y[left], fit(data.X[rows], seed)(data.X[left])))


def threats(sets: Sequence[Set], seeds: range) -> dict[str, Any]:
    """Mean AUROC after remembering k labelled anomalies, on the sets that have at least 20."""
    some = [data for data in sets if data.y.sum() >= 20 and not data.dense]
    out: dict[str, Any] = {}
    for data in some:
        learn, judge = split(data, 0)
        odd = np.random.default_rng([0, 2]).permutation(np.flatnonzero(data.y == 1))
        base = Detector.fit(data.X[learn], seed=0)
        for k in (0, 1, 5, 10, 50):
            known = odd[: min(k, len(odd) // 2)]
            left = np.setdiff1d(judge, known)
            taught = base.remember(threats=data.X[known]) if k else base
            out.setdefault(str(k), []).append(roc_auc_score(data.y[left], taught.score(data.X[left])))
    return {k: float(np.mean(v)) for k, v in out.items()}


def explanations(sets: Sequence[Set], seeds: range) -> dict[str, Any]:
    """How often a fault of 4 to 8 deviations put into one feature of a self row is named first, and among the first three."""
    first, three, caught, total = 0, 0, 0, 0
    for data in [d for d in sets if not d.dense and np.sum(d.y == 0) >= 500]:
        learn, judge = split(data, 0)
        detector = Detector.fit(data.X[learn], seed=0)
        rng = np.random.default_rng([0, 3])
        rows = data.X[rng.choice(judge[data.y[judge] == 0], 60)]
        deviation = data.X[learn].std(axis=0)
        live = np.flatnonzero(deviation > 0)
        where = rng.choice(live, len(rows))
        rows[np.arange(len(rows)), where] += (
            rng.choice([-1, 1], len(rows)) * rng.uniform(4, 8, len(rows)) * deviation[where]
        )
        flagged = detector.p_values(rows) <= 0.05
        total, caught = total + len(rows), caught + int(flagged.sum())
        for i, why in zip(np.flatnonzero(flagged), detector.explain(rows[flagged]), strict=True):
            named = [reason.name for reason in why.reasons[:3]]
            first += named[0] == f"x{where[i]}"
            three += f"x{where[i]}" in named
    return {"detected": caught / total, "first": first / caught, "three": three / caught}


def speed(rows: int = 40_000, features: int = 40) -> dict[str, Any]:
    """Scored rows a second at 40 features after learning 5 000, against IsolationForest in turn; medians of 5."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((features, features))
    learn, judge = rng.standard_normal((5000, features)) @ mix, rng.standard_normal((rows, features)) @ mix
    scorers = {"IsolationForest": _forest(learn, 0)}
    scorers |= {preset: Detector.fit(learn, preset=preset, seed=0).score for preset in ("immune", "lite")}
    times: dict[str, list[float]] = {name: [] for name in scorers}
    for _ in range(5):
        for name, score in scorers.items():
            begin = time.process_time()
            score(judge)
            times[name].append(time.process_time() - begin)
    rate = {name: rows / float(np.median(value)) for name, value in times.items()}
    return {"rows_per_s": rate, "ratio": {p: rate[p] / rate["IsolationForest"] for p in ("immune", "lite")}}


def network(folder: Path, seeds: range) -> dict[str, Any]:
    """NSL-KDD: AUROC, accuracy at the 5 % level, with and without labelled attacks, fingerprints kept by another seed."""
    options: dict[str, Any] = {"label": "label", "self_value": "normal", "drop": ["attack", "difficulty"]}
    try:
        train = read_dataset(folder / "nslkdd_train20.csv.gz", **options)
        test = read_dataset(folder / "nslkdd_test.csv.gz", **options)
    except ImmunosError as error:
        print(error)
        return {}
    own, y = train.table.take(train.is_self), (~test.is_self).astype(int)
    found, prints = [], []
    attacks = np.flatnonzero(~train.is_self)
    for seed in seeds:
        nk = Detector.fit(own, seed=seed, pipeline="network")
        begin = time.process_time()
        judged = nk.judge(test.table)
        rate = len(y) / (time.process_time() - begin)
        chosen = np.random.default_rng(seed).choice(attacks, 2048, replace=False)
        both = nk.remember(threats=train.table.take(chosen)).judge(test.table)
        found.append((*_hits(judged, y), *_hits(both, y), rate))
        flagged = np.flatnonzero(judged.p <= 0.01)
        prints.append({int(i): (int(judged.leading[i]), int(judged.direction[i])) for i in flagged})
    names = ("auroc", "accuracy5", "bcell_auroc", "bcell_accuracy5", "rows_per_s")
    out = dict(zip(names, (float(v) for v in np.mean(found, axis=0)), strict=True))
    if len(prints) > 1:
        first, second = prints[0], prints[1]
        out["fingerprints"] = len(set(first.values()))
        out["fingerprints_kept"] = float(np.mean([first[i] == second.get(i) for i in first]))
    return out


def _hits(judged: Any, y: np.ndarray) -> tuple[float, float]:
    return float(roc_auc_score(y, judged.score)), float(((judged.p <= 0.05) == y).mean())
