"""Training an agent: read, evaluate on what was held out, fit, save, and put the first version in service."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from immunos_tui import __version__
from immunos_tui.config import Settings
from immunos_tui.immune.artifact import read_manifest
from immunos_tui.immune.dataset import Dataset, read_dataset
from immunos_tui.immune.training import TrainingResult, train
from immunos_tui.model.agent import Agent, AgentVersion
from immunos_tui.model.errors import DataError, NotFoundError
from immunos_tui.model.job import Job
from immunos_tui.paths import private_dir
from immunos_tui.services.foundry import Foundry, caveat
from immunos_tui.services.meaning import Meaning


def train_agent(
    foundry: Foundry,
    job: Job,
    settings: Settings,
    progress: Callable[[str, float, str], None],
    rows: Callable[[int], None],
) -> dict[str, Any]:
    """Carry out a training job and return its result: the version that was made and its metrics.

    Raises:
        DataError, UsageError: the dataset cannot be learned from.
        UnreachableError, NotFoundError: the embedding model that the settings name cannot be had.
    """
    spec, agent = job.spec, foundry.get(job.agent)
    dataset = read_dataset(
        job.path,
        label=spec["label"],
        self_value=spec["self"],
        drop=spec["drop"],
        pipeline=agent.pipeline,
        progress=progress,
    )
    dataset = _with_meaning(dataset, Meaning.for_training(settings, agent.pipeline), progress)
    rows(dataset.rows)
    trained = _train(spec, agent, dataset, progress)
    progress("save", 0.0, "")
    version = _keep(foundry, job, agent, dataset, trained)
    progress("save", 1.0, f"{dataset.rows} rows")
    return {
        "version": version.number,
        "in_service": version.state == "in_service",
        "metrics": trained.metrics,
        "caveat": caveat(agent.template),
        "summary": trained.detector.summary,
    }


def _keep(foundry: Foundry, job: Job, agent: Agent, dataset: Dataset, trained: TrainingResult) -> AgentVersion:
    """Save what was trained and record it as a version of its agent."""
    name = f"{agent.name}/job-{job.id}"
    private_dir(foundry.artifacts / agent.name)
    about = {
        "agent": agent.name,
        "dataset": {
            "path": job.path,
            "sha256": dataset.sha256,
            "rows": dataset.rows,
            "columns": [list(c) for c in dataset.columns],
        },
        "training": dict(job.spec),
        "metrics": trained.metrics,
        "caveat": caveat(agent.template),
        "code": __version__,
        "host": platform.node(),
    }
    trained.detector.save(foundry.artifacts / name, about)
    return foundry.add_version(
        agent.name,
        {
            "artifact": name,
            "sha256": read_manifest(foundry.artifacts / name)["npz_sha256"],
            "preset": job.spec["preset"],
            "seed": job.spec["seed"],
            "dataset_path": job.path,
            "dataset_sha256": dataset.sha256,
            "job_id": job.id,
            "metrics": trained.metrics,
        },
    )


def _train(
    spec: Mapping[str, Any], agent: Agent, dataset: Dataset, progress: Callable[[str, float, str], None] | None
) -> TrainingResult:
    return train(
        dataset, preset=spec["preset"], seed=spec["seed"], pipeline=agent.pipeline, role=agent.role, progress=progress
    )


def _with_meaning(dataset: Dataset, meaning: Meaning | None, progress: Callable[[str, float, str], None]) -> Dataset:
    """The dataset with vectors of its texts, where there is a model to ask."""
    if meaning is None:
        return dataset
    try:
        return meaning.of_dataset(dataset, progress)
    finally:
        meaning.close()


def reproduce(foundry: Foundry, job: Job, settings: Settings) -> dict[str, Any]:
    """Carry out a training again without keeping it, and compare the artifact's sha256 with the recorded one.

    Raises:
        DataError: the dataset is not the one that the job read.
        UnreachableError, ConflictError: the embedding model that it used cannot be had, or is another by now.
        NotFoundError: the version that the job made is gone.
    """
    spec, agent = job.spec, foundry.get(job.agent)
    version = next((item for item in foundry.versions(job.agent) if item.job_id == job.id), None)
    if version is None:
        raise NotFoundError(f"The version that job {job.id} made is gone.")
    dataset = read_dataset(
        job.path, label=spec["label"], self_value=spec["self"], drop=spec["drop"], pipeline=agent.pipeline
    )
    if dataset.sha256 != version.dataset_sha256:
        raise DataError(
            f"{job.path} is not the dataset that job {job.id} read: its sha256 differs.", "Bring the old file back."
        )
    trained = read_manifest(foundry.artifact_path(version))["detector"].get("embedding")
    dataset = _with_meaning(dataset, Meaning.as_trained(settings, trained), lambda *_: None)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "again"
        _train(spec, agent, dataset, None).detector.save(path)
        digest = read_manifest(path)["npz_sha256"]
    return {
        "job": job.id,
        "agent": job.agent,
        "version": version.number,
        "recorded": version.sha256,
        "again": digest,
        "same": digest == version.sha256,
    }
