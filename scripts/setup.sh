#!/usr/bin/env bash
# Makes or mends the virtual environment: setup.sh PYTHON VENV. Called by the Makefile when the lock has changed.
set -euo pipefail

python=${1:-}
venv=${2:-.venv}
cd "$(dirname "$0")/.."

fail() {
    printf 'immunos-tui: %s\n' "$@" >&2
    exit 1
}

if ! [ -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    [ -n "$python" ] || fail "no Python 3.11 or newer was found." \
        "Install it (Debian: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3.11"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python has no venv module." \
        "Install it (Debian: apt install python3-venv), or name another: make PYTHON=/path/to/python3.11"
    echo "making $venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
"$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$venv holds $("$venv/bin/python" --version), and 3.11 is the oldest that will do. Remove it with: make distclean"

echo "installing what requirements-dev.lock names; the first time takes a minute or two"
"$venv/bin/python" -m pip install --quiet --require-hashes -r requirements-dev.lock ||
    fail "the locked packages could not be installed." \
        "With no network, give pip a folder that holds them: make PIP_NO_INDEX=1 PIP_FIND_LINKS=/path/to/wheels"
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
"$venv/bin/python" -m compileall -q immunos_tui
