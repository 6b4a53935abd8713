#!/usr/bin/env bash
# Install, find the cracks of a photograph with the weights that come with the package (your own, if you name one), then
# train a compact system on generated cracks for a moment, evaluate it, and say where everything is. No download of data.
#   bash scripts/quickstart.sh [photograph] [words for csbsr-train, for example steps=2400]
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
out="$PWD/quickstart/$(date +%Y-%m-%d_%H-%M-%S)"
photograph=""
if [ $# -gt 0 ] && [ -e "$1" ]; then
    photograph="$1"
    shift
fi
. "$here/environment.sh" ""  # an argument of its own: it would see this script's otherwise
if [ -z "$photograph" ]; then
    photograph="$out/photograph.png"
    python - "$photograph" <<'PHOTOGRAPH'
import sys
from pathlib import Path

from PIL import Image

from csbsr.data import SyntheticPairs

image, _ = SyntheticPairs("photographs", 1, (240, 320), 1).read(0)
Path(sys.argv[1]).parent.mkdir(parents=True)
Image.fromarray(image).save(sys.argv[1])
PHOTOGRAPH
fi
echo "== finding the cracks of $photograph"
csbsr-predict input="$photograph" output="$out/photograph"
echo "== report of it: $out/photograph/report.html"
echo "== training a compact system on generated cracks, briefly (steps=2400 and a quarter of an hour give a useful one)"
csbsr-train recipe=quick steps=300 output="$out/train" "$@"
echo "== evaluating it on generated test images"
csbsr-eval ckpt="$out/train/checkpoints/last.ckpt" output="$out/test"
echo "== done"
echo "photograph  $out/photograph/report.html"
echo "table       $out/test/metrics.json"
echo "report      $out/test/report.html"
echo "pictures    $out/test/panels"
