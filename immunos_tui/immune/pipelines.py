"""Which model learns from which kind of data; modules are imported when they are first needed."""

from __future__ import annotations

from importlib import import_module

from immunos_tui.immune.components import ComponentModel
from immunos_tui.model.errors import ArtifactError, UsageError

_TABULAR = "immunos_tui.immune.tabular:TabularModel"
_TEXT = "immunos_tui.immune.features.text:TextModel"
_LOGS = "immunos_tui.immune.features.logs:LogModel"
_CODE = "immunos_tui.immune.features.code:CodeModel"
_LABELLED = "immunos_tui.immune.features.labelled:ClassifierModel"
_MEANING = "immunos_tui.immune.features.meaning:MeaningModel"

PIPELINES: dict[str, str] = {
    "tabular": _TABULAR,
    "network": _TABULAR,
    "logs": _LOGS,
    "text": _TEXT,
    "code": _CODE,
    "emotion": _TEXT,
    "hallucination": _TEXT,
    "research": _TEXT,
}
"""The model of self of each feature pipeline; where texts are labelled, the model is a classifier instead."""


def model_of(pipeline: str) -> type[ComponentModel]:
    """The model class of a pipeline; UsageError names the pipelines where it is unknown."""
    if pipeline not in PIPELINES:
        raise UsageError(f"There is no pipeline {pipeline!r}.", f"Choose one of {', '.join(PIPELINES)}.")
    return _load(PIPELINES[pipeline])


def model_of_kind(kind: str) -> type[ComponentModel]:
    """The model class that an artifact names; ArtifactError where this version has none of that kind."""
    for target in dict.fromkeys((*PIPELINES.values(), _LABELLED, _MEANING)):
        model = _load(target)
        if model.kind == kind:
            return model
    raise ArtifactError(f"The artifact holds a model of the kind {kind!r}, which this version does not know.")


def _load(target: str) -> type[ComponentModel]:
    module, name = target.split(":")
    found: type[ComponentModel] = getattr(import_module(module), name)
    return found
