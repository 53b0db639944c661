"""The engine benchmark's targets and its printed table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Results = dict[str, Any]

LEAST_DENSE = 10
"""Sets of embeddings that are needed to say something about them."""


def _time_ratio(results: Results) -> float:
    found = results["accuracy"]["methods"]
    total = {
        name: sum(row["fit_s"] + row["score_s"] for key, row in found.items() if key in (name, f"{name} (dense)"))
        for name in ("immune", "IsolationForest")
    }
    return float(total["immune"] / total["IsolationForest"])


def _dense(results: Results) -> float:
    """Few embeddings say little: a KeyError there, so that the target is left out."""
    found = results["accuracy"]
    if found.get("dense_sets", 0) < LEAST_DENSE:
        raise KeyError("dense_sets")
    return float(found["methods"]["immune (dense)"]["auroc"])


def _worst_rate(level: int) -> Callable[[Results], float]:
    return lambda results: max(rates[level] for rates in results["accuracy"]["rates"]["immune"].values())


TARGETS: tuple[tuple[str, Callable[[Results], float], str, float], ...] = (
    ("mean AUROC, immune", lambda r: r["accuracy"]["methods"]["immune"]["auroc"], ">=", 0.878),
    ("mean AUROC of embeddings, immune", _dense, ">=", 0.815),
    ("fit and score, times IsolationForest's", _time_ratio, "<=", 1.0),
    ("worst FPR at 1 %", _worst_rate(0), "<=", 0.02),
    ("worst FPR at 5 %", _worst_rate(1), "<=", 0.07),
    ("AUROC with 2 % foreign rows, robust", lambda r: r["dirty"]["robust 2%"], ">=", 0.83),
    ("AUROC with 10 % foreign rows, robust", lambda r: r["dirty"]["robust 10%"], ">=", 0.80),
    ("AUROC with 5 confirmed threats", lambda r: r["threats"]["5"], ">=", 0.895),
    ("AUROC with 50 confirmed threats", lambda r: r["threats"]["50"], ">=", 0.92),
    ("rows a second, immune, times IsolationForest's", lambda r: r["speed"]["ratio"]["immune"], ">=", 0.2),
    ("rows a second, lite, times IsolationForest's", lambda r: r["speed"]["ratio"]["lite"], ">=", 0.3),
    ("NSL-KDD AUROC", lambda r: r["network"]["auroc"], ">=", 0.95),
    ("NSL-KDD accuracy at 5 %", lambda r: r["network"]["accuracy5"], ">=", 0.89),
    ("NSL-KDD AUROC with labels", lambda r: r["network"]["bcell_auroc"], ">=", 0.955),
    ("NSL-KDD accuracy at 5 % with labels", lambda r: r["network"]["bcell_accuracy5"], ">=", 0.89),
    ("NSL-KDD fingerprints kept by another seed", lambda r: r["network"]["fingerprints_kept"], ">=", 0.85),
    ("injected fault named first", lambda r: r["explain"]["first"], ">=", 0.93),
    ("injected fault among the first three", lambda r: r["explain"]["three"], ">=", 0.98),
)
"""Name, where the number is, the comparison and the bound. They hold for the default folder."""


def table(results: Results, judged: bool = True) -> list[str]:
    """Print the methods and, where it is ``judged``, the targets; return the names of the targets that were missed."""
    methods = results.get("accuracy", {}).get("methods", {})
    if methods:
        print(f"{'method':26} {'AUROC':>7} {'AUPR':>7} {'fit s':>8} {'score s':>8}")
    for name, row in methods.items():
        print(f"{name:26} {row['auroc']:7.4f} {row['aupr']:7.4f} {row['fit_s']:8.2f} {row['score_s']:8.2f}")
    missed = []
    for name, where, sign, bound in TARGETS if judged else ():
        try:
            value = where(results)
        except (KeyError, ValueError):
            continue
        reached = value >= bound if sign == ">=" else value <= bound
        print(f"{'ok  ' if reached else 'MISS'} {name:48} {value:9.4f} {sign} {bound}")
        if not reached:
            missed.append(name)
    return missed
