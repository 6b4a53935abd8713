# Sourced by the other scripts: an environment with csbsr in it, made on the first call.
# Uses the active virtual environment, else makes .venv beside the code. $1: extras to install, for example "[test]".

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
if [ -z "${VIRTUAL_ENV:-}" ]; then
    if [ ! -x "$root/.venv/bin/python" ]; then
        python="$(command -v python3 || command -v python)" || { echo "error: Python 3.10 or newer is needed" >&2; exit 1; }
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
            { echo "error: Python 3.10 or newer is needed, found $("$python" --version)" >&2; exit 1; }
        echo "making a virtual environment in $root/.venv"
        "$python" -m venv "$root/.venv"
    fi
    . "$root/.venv/bin/activate"
fi
if ! python -c 'import torch' 2>/dev/null; then
    # Without a GPU a CPU build is enough; a bare "torch" would fetch gigabytes of CUDA where both are offered.
    if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then
        python -m pip install --quiet torch
    else
        python -m pip install --quiet torch==2.13.0
    fi
fi
python -m pip install --quiet --editable "$root${1:-}"
