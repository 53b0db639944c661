"""The process that trains a job's agent again and prints whether the artifact is the same."""

from __future__ import annotations

import json
import sys

from immunos_tui.config import load_settings
from immunos_tui.model.errors import ImmunosError
from immunos_tui.paths import find_paths
from immunos_tui.services.house import open_house
from immunos_tui.services.training import reproduce


def main(job_id: int) -> int:
    """Print the comparison as one JSON object."""
    paths = find_paths()
    house = open_house(paths, load_settings(paths).settings, "job")
    try:
        body = reproduce(house.foundry, house.thymus.get(job_id), house.settings)
    except ImmunosError as error:
        body = {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}
    json.dump(body, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
