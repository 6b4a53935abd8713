#!/usr/bin/env bash
# Install what is missing and pass the tests; arguments go to pytest (for example --slow, or a path).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$here/environment.sh" "[test]"
cd "$here/.."
exec python -m pytest "$@"
