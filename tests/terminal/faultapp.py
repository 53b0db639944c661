"""A small app with the faults that a test asks for by key, run in the way that the real program is.

Arguments: the path of the crash log, then any of ``--ascii``, ``--slow``, ``--mouse``.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

from immunos_tui.terminal.environment import Flags, detect, prepare, refusal


def environment():
    flags = Flags(ascii="--ascii" in sys.argv, slow="--slow" in sys.argv, mouse=True if "--mouse" in sys.argv else None)
    env = detect(os.environ, flags)
    if sentence := refusal(env):
        print(sentence)
        sys.exit(2)
    prepare(os.environ, env)
    return env


def main() -> None:
    env = environment()
    from textual import events, work
    from textual.app import ComposeResult
    from textual.widgets import Input, Static

    from immunos_tui.terminal.crash import CrashSafeApp
    from immunos_tui.terminal.launch import run_app

    class FaultApp(CrashSafeApp):
        AUTO_FOCUS = None
        ENABLE_COMMAND_PALETTE = False
        CSS = "#frame { border: round green; height: 1fr; }"
        BINDINGS = [
            ("q", "quit", "quit"),
            ("b", "busy", "busy"),
            ("c", "crash", "crash"),
            ("w", "worker", "worker"),
            ("z", "suspend_process", "stop"),
            ("v", "edit", "edit"),
            ("x", "thread_crash", "thread"),
            ("s", "stuck_worker", "stuck"),
            ("down", "down", "down"),
        ]
        presses = 0
        resizes = 0
        extent = ""

        def compose(self) -> ComposeResult:
            yield Static("press 0", id="frame")
            yield Static("┤é…█→日本▁▃█┤", id="glyphs")
            field = Input(id="field")
            field.cursor_blink = False
            yield field

        def on_key(self, event: events.Key) -> None:
            self.show(f"key {event.key}")

        def on_resize(self, event: events.Resize) -> None:
            self.resizes += 1
            self.extent = f"{event.size.width}x{event.size.height}"
            self.show("resized")

        def on_paste(self, event: events.Paste) -> None:
            self.show(f"pasted {len(event.text)}")

        def show(self, what: str) -> None:
            self.query_one("#frame", Static).update(
                f"press {self.presses} {self.extent} {what} resizes {self.resizes}."
            )

        def action_down(self) -> None:
            self.presses += 1
            self.show("down")

        def action_busy(self) -> None:
            Path(sys.argv[1]).with_name("busy").touch()
            while True:
                pass

        def action_crash(self) -> None:
            secret = "hunter2" + str(self.presses)
            raise ValueError("broken \x1b[31m" + str(len(secret)))

        @work
        async def action_worker(self) -> None:
            raise LookupError("in a worker")

        @work(thread=True)
        def action_stuck_worker(self) -> None:
            Path(sys.argv[1]).with_name("busy").touch()
            threading.Event().wait()

        def action_thread_crash(self) -> None:
            threading.Thread(target=lambda: 1 / 0).start()

        def action_edit(self) -> None:
            with self.suspend():
                subprocess.run(["/bin/sh", "-c", "echo in the editor; read line; echo got $line"], check=False)

    sys.exit(run_app(FaultApp(), env, Path(sys.argv[1])))


if __name__ == "__main__":
    main()
