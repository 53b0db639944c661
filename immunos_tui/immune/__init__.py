"""The immune engine: learn self, score, calibrate, explain and remember. Needs numpy only; knows no database, screen or network.

Names are imported when they are first used, so that a preview does not load numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from immunos_tui.immune.dataset import Dataset, read_dataset
    from immunos_tui.immune.detector import Detector
    from immunos_tui.immune.drift import DriftSign, DriftWatch
    from immunos_tui.immune.evaluation import Evaluation, evaluate
    from immunos_tui.immune.judgement import Judgement
    from immunos_tui.immune.table import Column, Table
    from immunos_tui.immune.training import TrainingResult, train

_HOMES = {
    "Column": "table",
    "Dataset": "dataset",
    "Detector": "detector",
    "DriftSign": "drift",
    "DriftWatch": "drift",
    "Evaluation": "evaluation",
    "Judgement": "judgement",
    "Table": "table",
    "TrainingResult": "training",
    "evaluate": "evaluation",
    "read_dataset": "dataset",
    "train": "training",
}

__all__ = [
    "Column",
    "Dataset",
    "Detector",
    "DriftSign",
    "DriftWatch",
    "Evaluation",
    "Judgement",
    "Table",
    "TrainingResult",
    "evaluate",
    "read_dataset",
    "train",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
