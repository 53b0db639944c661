#!/usr/bin/env bash
# Installs the wheel of dist/ with its locked dependencies in an empty environment, far from the checkout, and uses the program
# from there. Needs the package index, so it is no part of the suite. `make wheeltest` builds the wheel first.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
shopt -s nullglob
wheels=("$root"/dist/*.whl)
[ "${#wheels[@]}" -eq 1 ] || { echo "dist/ holds ${#wheels[@]} wheels, one is due: run make wheel" >&2; exit 1; }

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
base=$("$root/.venv/bin/python" -c 'import sys; print(sys._base_executable)')
"$base" -m venv "$place/venv"
python=$place/venv/bin/python
echo "installing $(basename "${wheels[0]}") with requirements.lock"
"$python" -m pip install --quiet --require-hashes -r "$root/requirements.lock"
"$python" -m pip install --quiet --no-index --no-deps "${wheels[0]}"
"$python" -m pip check

cp "$root/scripts/drive_screens.py" "$place/"
mkdir "$place/home"
cd "$place/home"
# Nothing of the checkout, and nothing of the person who runs this, may be seen from here.
clean=(env -i "PATH=$place/venv/bin:/usr/bin:/bin" "HOME=$place/home" "IMMUNOS_BASE_PATH=$place/home" LC_ALL=C.UTF-8 TERM=xterm-256color)

say() {
    echo "\$ immunos-tui $*"
    "${clean[@]}" immunos-tui "$@"
}

"${clean[@]}" python - <<'PY'
import pathlib
import sys

import immunos_tui

package = pathlib.Path(immunos_tui.__file__).parent
assert package.is_relative_to(sys.prefix), f"the checkout is in use, not the wheel: {package}"
for name in ("data/schema.sql", "data/migrations", "data/templates", "data/kb", "data/rules", "data/samples"):
    assert (package / name).exists(), f"{name} is missing from the wheel"
strays = [p for p in package.parent.iterdir() if p.name in {"tests", "benchmarks", "scripts", "data", "docs"}]
assert not strays, f"the wheel spills beside its package: {strays}"
PY

say --version
say config paths
say issue new "wheel test" --priority high
listed=$(say issue list --json)
grep -q '"wheel test"' <<<"$listed" || { echo "the issue is not listed: $listed" >&2; exit 1; }
say agent new wheel --template network
say db check
echo "\$ immunos-tui, driven by keys"
"${clean[@]}" python "$place/drive_screens.py" immunos-tui
echo "wheel test passed"
