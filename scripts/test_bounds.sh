#!/usr/bin/env bash
# Pass the tests with the oldest versions that pyproject.toml allows, or with the newest that the registry has:
#   scripts/test_bounds.sh oldest|newest [arguments of pytest]
# Each in a virtual environment of its own under .bounds/. KEEP="torch==2.13.0" keeps packages at versions other than
# those, where the oldest one has only a build for CUDA, say.
set -euo pipefail
which="${1:-}"; shift || true
case "$which" in oldest|newest) ;; *) echo "error: expected oldest or newest, got '$which'" >&2; exit 2 ;; esac
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
place="$root/.bounds/$which"
mkdir -p "$root/.bounds"
[ -x "$place/bin/python" ] || python3 -m venv "$place"
python="$place/bin/python"
"$python" - "$root/pyproject.toml" "$which" "${KEEP:-}" > "$place/constraints.txt" <<'PYTHON'
"""The oldest release that each lower bound of the dependencies allows, as constraints."""
import re
import subprocess
import sys

from pip._vendor.packaging.version import Version

path, which, keep = sys.argv[1:]
kept = {re.split(r"[=<>~!]", word)[0]: word for word in keep.split()}
text = open(path, encoding="utf-8").read()
for name, bound in re.findall(r'"([A-Za-z][\w.-]*)(?:\[[\w,]+\])?>=([\d.]+)[^"]*"', text):
    if which == "newest" or name in kept or name == "setuptools":
        continue
    command = [sys.executable, "-m", "pip", "index", "versions", name]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    releases = re.search(r"Available versions: (.*)", told).group(1).split(", ")
    print(f"{name}=={min((one for one in releases if Version(one) >= Version(bound)), key=Version)}")
print(*kept.values(), sep="\n")
PYTHON
echo "constraints: $(tr '\n' ' ' < "$place/constraints.txt")"
upgrade=(); [ "$which" = newest ] && upgrade=(--upgrade --upgrade-strategy eager)
"$python" -m pip install --quiet "${upgrade[@]}" --constraint "$place/constraints.txt" --editable "$root[test]"
"$python" -m pip list --format freeze | grep -iE '^(torch|pytorch-lightning|torchmetrics|hydra-core|omegaconf|numpy|scipy|scikit-image|opencv-python-headless|pillow|albumentations|monai|rich|jinja2)=='
cd "$root"
exec env OMP_NUM_THREADS=1 "$python" -m pytest -q -p no:cacheprovider "$@"
