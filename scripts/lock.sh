#!/usr/bin/env bash
# Resolves pyproject.toml into requirements*.lock, with hashes, for Python 3.11 and later.
# Existing versions are kept where they still fit; `UPGRADE=1 make lock` takes the newest.
set -euo pipefail

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet uv

resolve() {
    local output=$1
    shift
    if [ -n "${UPGRADE:-}" ]; then set -- --upgrade "$@"; fi
    echo "resolving $output"
    "$work/venv/bin/uv" pip compile pyproject.toml "$@" --output-file "$output" --quiet \
        --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
        --no-emit-find-links --no-sources --custom-compile-command "make lock"
}

resolve requirements.lock
resolve requirements-dev.lock --group dev --constraints requirements.lock
resolve requirements-bench.lock --group bench --constraints requirements-dev.lock
