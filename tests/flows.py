"""Small flow tables made from a seed: self in two clusters, and rows that do not belong."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any


def write_flows(path: Path, rows: int, foreign: float = 0.0, seed: int = 1) -> Path:
    """A CSV of ``rows`` flows, of which the share ``foreign`` is an attack by one of four features."""
    rng = random.Random(seed)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("duration", "bytes", "rate", "errors", "proto", "label"))
        for _ in range(rows):
            kind = rng.randrange(2)
            values: list[Any] = [
                rng.gauss(10 + 20 * kind, 2),
                rng.expovariate(1 / 500),
                rng.random(),
                rng.gauss(0.5, 0.1),
            ]
            label = "normal"
            if rng.random() < foreign:
                label, column = "attack", rng.randrange(4)
                values[column] = values[column] * 20 + 50
            out.writerow((*(f"{value:.4f}" for value in values), ("tcp", "udp")[kind], label))
    return path


def train_here(house: Any, name: str, path: Path, **options: Any) -> Any:
    """Make an agent and train it through the queue, worked by this process; returns the job."""
    house.foundry.new(name, "network")
    job = house.thymus.add_training(name, path, label="label", self_value="normal", **options)
    house.thymus.work(lambda: False, until_empty=True)
    return house.thymus.get(job.id)
