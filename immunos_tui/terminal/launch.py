"""Runs an app in a terminal that is left clean whatever ends it.

The whole of it, in ``__main__``::

    env = detect(os.environ, Flags(ascii=..., slow=..., mouse=False if no_mouse else None))
    if sentence := refusal(env): ...                      # print the status text and the sentence, exit 2
    prepare(os.environ, env)                              # before anything imports textual
    from immunos_tui.app import ImmunosApp                # a CrashSafeApp; uses env.theme where not None
    from immunos_tui.terminal.launch import run_app
    sys.exit(run_app(ImmunosApp(...), env, crash_log))
"""

from __future__ import annotations

import sys
from pathlib import Path

from immunos_tui.model.errors import ImmunosError
from immunos_tui.terminal.crash import CrashSafeApp, report
from immunos_tui.terminal.driver import TerminalDriver, driver_class
from immunos_tui.terminal.environment import TerminalEnvironment
from immunos_tui.terminal.lifelines import Lifelines


def run_app(app: CrashSafeApp, environment: TerminalEnvironment, crash_log: Path) -> int:
    """Run ``app`` on the terminal and return the exit code: the app's own, the error's after a crash, 128 + n after signal n.

    Only in the main thread. A traceback goes to ``crash_log``, one sentence to standard error.
    """

    def driver() -> TerminalDriver | None:
        return app._driver if isinstance(app._driver, TerminalDriver) else None

    def ask_to_exit(number: int) -> None:
        if held := driver():
            held.ask_to_exit(128 + number)

    lifelines = Lifelines(ask_to_exit, driver)
    app.driver_class = driver_class(environment, lifelines)
    crash: BaseException | None = None
    with lifelines:
        try:
            app.run(mouse=environment.mouse)
            crash = app.crash
        except Exception as error:  # noqa: BLE001 - whatever it is, the terminal comes first
            crash = error
        finally:
            if held := driver():
                held.emergency()
                held.disable_input()
    if crash is not None and not lifelines.ending:
        print(report(crash, crash_log), file=sys.stderr)
        return crash.exit_code if isinstance(crash, ImmunosError) else 1
    return lifelines.exit_code or app.return_code or 0
