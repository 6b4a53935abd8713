#!/usr/bin/env bash
# Install what is missing, check style and types, and pass the tests; arguments go to pytest (for example --slow, or a path).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$here/environment.sh" "[test]"
cd "$here/.."
python -m ruff check .
python -m ruff format --check .
python -m mypy src
workers="$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"  # a process per core, a thread per process
exec python -m pytest -n "$((workers < 8 ? workers : 8))" --dist loadfile "$@"
