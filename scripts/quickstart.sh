#!/usr/bin/env bash
# Install, train a compact system on generated cracks, evaluate it, and say where the pictures are. No download of data.
# Arguments go to csbsr-train (for example steps=300).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
out="$PWD/quickstart/$(date +%Y-%m-%d_%H-%M-%S)"
. "$here/environment.sh"
echo "== training a compact system on generated cracks (minutes on two cores)"
csbsr-train recipe=quick output="$out/train" "$@"
echo "== evaluating it on generated test images"
csbsr-eval ckpt="$out/train/checkpoints/last.ckpt" output="$out/test"
echo "== done"
echo "table     $out/test/metrics.json"
echo "pictures  $out/test/panels"
