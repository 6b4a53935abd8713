#!/usr/bin/env bash
# Install, train a compact system on generated cracks, evaluate it, find the cracks of a photograph, and say where the
# pictures are. No download of data.
# Arguments go to csbsr-train (for example steps=300).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
out="$PWD/quickstart/$(date +%Y-%m-%d_%H-%M-%S)"
. "$here/environment.sh" ""  # an argument of its own: it would see this script's otherwise
echo "== training a compact system on generated cracks (minutes on two cores)"
csbsr-train recipe=quick output="$out/train" "$@"
echo "== evaluating it on generated test images"
csbsr-eval ckpt="$out/train/checkpoints/last.ckpt" output="$out/test"
echo "== finding cracks in a photograph without a mask"
python - "$out/photograph.png" <<'PHOTOGRAPH'
import sys

from PIL import Image

from csbsr.data import SyntheticPairs

image, _ = SyntheticPairs("photographs", 1, (240, 320), 1).read(0)
Image.fromarray(image).save(sys.argv[1])
PHOTOGRAPH
csbsr-predict ckpt="$out/train/checkpoints/last.ckpt" input="$out/photograph.png" output="$out/photograph"
echo "== done"
echo "table       $out/test/metrics.json"
echo "report      $out/test/report.html"
echo "pictures    $out/test/panels"
echo "photograph  $out/photograph/report.html"
