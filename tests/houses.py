"""Ready-made contents for a house: agents with a version, and issues that came from detections."""

from __future__ import annotations

import hashlib
from typing import Any

from immunos_tui.model.detection import Detection, Result, table_fingerprint
from immunos_tui.services.folding import Folding

EXPLANATION = {
    "sentence": "serror_rate is far above self",
    "reasons": [
        {
            "name": "serror_rate", "value": "1.0", "direction": "above", "self_range": "99 %: below 0.05", "share": 0.8,
            "percentile": 100.0,
        }
    ],
    "margin": 4.0,
    "nearest_row": 12,
    "nearest_distance": 3.0,
}  # fmt: skip


def trained_agent(house: Any, name: str = "net-1") -> Any:
    """An agent with one version in service whose artifact is never read."""
    if name not in {agent.name for agent in house.foundry.list()}:
        house.foundry.new(name, "network")
    return house.foundry.add_version(
        name,
        {
            "artifact": f"{name}/1",
            "sha256": hashlib.sha256(name.encode()).hexdigest(),
            "preset": "immune",
            "seed": 0,
            "dataset_path": "/data/flows.csv",
            "dataset_sha256": "0" * 64,
            "job_id": None,
            "metrics": {"auroc": 0.95, "grade": "strong"},
        },
    )


def finding(
    row: int, feature: str = "serror_rate", *, priority: str = "high", result: Result = Result.NON_SELF
) -> Detection:
    """One detection of the cause ``feature``."""
    return Detection(
        row=row,
        result=result,
        score=12.5 + row / 1000,
        p_value=0.0001,
        confidence=0.99,
        fingerprint=table_fingerprint("network", "net-1", feature, "above"),
        title=f"{feature} 1.0, self is below 0.05",
        priority=priority,
        explanation=EXPLANATION,
        sample=f"row {row}",
    )


def folding(house: Any, name: str = "net-1") -> Folding:
    """What a scan with the agent's version in service folds with."""
    agents = {agent.name for agent in house.foundry.list()}
    if name not in agents:
        trained_agent(house, name)
    agent, version = house.foundry.in_service(name)
    return Folding(house.store, house.settings.spleen, agent, version)


def detected_issue(
    house: Any, rows: int = 1, feature: str = "serror_rate", source: str = "flows.csv", first: int = 0
) -> int:
    """The number of the issue that ``rows`` detections of one cause are folded into."""
    fold = folding(house)
    number = fold.open_source(hashlib.sha256(source.encode()).hexdigest(), f"/data/{source}", 1000)
    fold.ingest(number, [finding(row, feature) for row in range(first, first + rows)], first, first + rows - 1)
    return next(iter(fold.total.touched))
