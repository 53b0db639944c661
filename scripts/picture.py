"""Draws docs/pictures/*.svg from the real program: an agent learns made-up flows, scans others, and a screen is exported.

``python scripts/picture.py [FOLDER]``; run from a checkout with its ``.venv``. Nothing of the operator's own is touched.
"""

from __future__ import annotations

import asyncio
import csv
import os
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from immunos_tui.app import ImmunosApp
from immunos_tui.config import load_settings
from immunos_tui.model.when import now_ms
from immunos_tui.paths import Paths, find_paths
from immunos_tui.services.house import House, open_house
from immunos_tui.services.thymus import check_source

HERE = Path(__file__).resolve().parent.parent
SIZE = (100, 26)
"""Columns and rows of the picture."""

HOST = "lab-07"
COLUMNS = ("duration", "protocol", "service", "bytes_out", "bytes_in", "packets", "same_host", "failed_share", "label")
SERVICES = {
    "https": (4, 900, 5200),
    "dns": (0, 60, 180),
    "ssh": (90, 4200, 5100),
    "ntp": (0, 48, 48),
    "smtp": (2, 2600, 340),
}
"""For each service its usual seconds, and bytes there and back."""

MINUTE = 60_000
PATIENCE = 30.0
"""Seconds until the screen must show what the picture is about."""


def ordinary(dice: random.Random) -> list[object]:
    """One made-up flow of a quiet network."""
    service = dice.choices(tuple(SERVICES), (50, 30, 6, 8, 6))[0]
    seconds, out, back = SERVICES[service]
    stretch = dice.lognormvariate(0, 0.35)
    protocol = "udp" if service in ("dns", "ntp") else "tcp"
    packets = max(1, round((out + back) * stretch / 700))
    failed = round(abs(dice.gauss(0, 0.02)), 2)
    sizes = [round(seconds * stretch, 2), protocol, service, round(out * stretch), round(back * stretch)]
    return [*sizes, packets, dice.randint(1, 12), failed, "normal"]


def sweep(dice: random.Random) -> list[object]:
    """A host that knocks on every port."""
    return [0.0, "tcp", "other", 0, 0, 1, dice.randint(180, 500), round(dice.uniform(0.9, 1.0), 2), "odd"]


def drain(dice: random.Random) -> list[object]:
    """A copy that leaves the house over ssh."""
    size = dice.randint(80_000_000, 400_000_000)
    return [float(dice.randint(900, 5000)), "tcp", "ssh", size, 6000, size // 1400, 2, 0.0, "odd"]


def chatter(dice: random.Random) -> list[object]:
    """Names that are far too long, as a tunnel over DNS asks for them."""
    return [0.0, "udp", "dns", dice.randint(2000, 4000), dice.randint(9000, 16000), 12, 9, 0.0, "odd"]


def upload(dice: random.Random) -> list[object]:
    """A backup over https: large, and harmless."""
    return [float(dice.randint(60, 200)), "tcp", "https", dice.randint(60_000, 90_000), 5200, 90, 3, 0.0, "odd"]


def write(path: Path, rows: Iterator[list[object]]) -> Path:
    """The flows as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        out.writerows(rows)
    return path


def learn(house: House, dataset: Path) -> None:
    """Make the agent and train it, in the queue as always."""
    house.foundry.new("net-1", "network")
    job = house.thymus.add_training("net-1", check_source(dataset), label="label", self_value="normal")
    house.thymus.work(lambda: house.thymus.get(job.id).state.ended, until_empty=True)
    ended = house.thymus.get(job.id)
    if ended.error:
        sys.exit(f"the training failed: {ended.error}")


def watch(house: House, folder: Path, dice: random.Random) -> None:
    """Scan files as if they had come in over the last hours, and work a little of the list."""
    arrivals = ((190, upload, 3), (64, drain, 2), (14, chatter, 40), (2, sweep, 84))
    for minutes, kind, count in arrivals:
        rows = [ordinary(dice) for _ in range(600)] + [kind(dice) for _ in range(count)]
        dice.shuffle(rows)
        file = write(folder / f"flows-{minutes:03}.csv", iter(rows))
        house.store.clock = lambda minutes=minutes: now_ms() - minutes * MINUTE
        made = house.malt.scan("net-1", file).issues_made
        house.store.clock = lambda minutes=minutes: now_ms() - (minutes - 1) * MINUTE
        triage(house, kind.__name__, made)
    house.store.clock = now_ms


def triage(house: House, kind: str, made: list[int]) -> None:
    """What an operator may have done with the new issues of one file."""
    if kind == "upload":
        house.spleen.verdict(made[:1], "benign", why="nightly backup to the store host")
        house.spleen.acknowledge(made[1:])
        house.spleen.new("Disk of lab-03 is at 91 %", priority="low", owner="op2")
    elif kind == "drain":
        house.spleen.assign(made[:1], "op1")


async def draw(paths: Paths, target: Path) -> None:
    """Open the program on the Spleen and export what it shows."""
    app = ImmunosApp(paths, load_settings(paths, environ={}, flags={"ui.start_tab": "spleen"}, folder=paths.data))
    app.host_name = HOST
    async with app.run_test(size=SIZE) as pilot:
        end = asyncio.get_running_loop().time() + PATIENCE
        while "Why" not in app.screen.query_one("#detail").text or not app.snapshot.posture.total:  # type: ignore[attr-defined]
            if asyncio.get_running_loop().time() > end:
                sys.exit("the issue under the cursor was never shown")
            await pilot.pause(0.1)
        await pilot.pause(1.0)
        target.write_text(plain_svg(app.export_screenshot(title="immunos-tui")), encoding="utf-8")


def plain_svg(svg: str) -> str:
    """The picture without a font or a link to be fetched from elsewhere."""
    svg = re.sub(r"@font-face\s*\{[^}]*\}\s*", "", svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
    strays = [link for link in re.findall(r"https?://[^\s\"')]+", svg) if link != "http://www.w3.org/2000/svg"]
    if strays:
        sys.exit(f"the picture refers to {strays[0]}")
    return svg


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(5)
    with tempfile.TemporaryDirectory() as place:
        os.environ["IMMUNOS_BASE_PATH"] = place
        paths = find_paths()
        house = open_house(paths, load_settings(paths, environ={}, folder=Path(place)).settings)
        learn(house, write(Path(place) / "self.csv", (ordinary(dice) for _ in range(3000))))
        watch(house, Path(place), dice)
        house.close()
        asyncio.run(draw(paths, folder / "spleen.svg"))
    print(folder / "spleen.svg")


if __name__ == "__main__":
    main()
