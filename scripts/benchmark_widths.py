"""How exact widths are: python scripts/benchmark_widths.py profiles|drawn|degraded|time [options].

``profiles`` reads measured profiles (a folder of folders of CSV files, handed in); ``drawn`` and ``degraded`` draw
their cracks; ``time`` tells what the widths from the light add to the prediction of photographs.  Prints a table in
Markdown.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    profiles = kinds.add_parser("profiles", help="measured profiles")
    profiles.add_argument("folder", type=Path, help="with <structure>/<name>.csv")
    profiles.add_argument("--full", action="store_true", help="try all combinations of constants, not one at a time")
    for kind, meaning in (("drawn", "lines in the photograph"), ("degraded", "lines blurred and scaled down by 4")):
        own = kinds.add_parser(kind, help=meaning)
        own.add_argument("--seeds", type=int, default=3, help="scenes of each width and angle")
        if kind == "degraded":
            own.add_argument("--ckpt", help="of a network whose estimate of the blur is used beside the true one")
    seconds = kinds.add_parser("time", help="CPU seconds of the light beside those of the prediction")
    seconds.add_argument("photographs", type=Path, nargs="+")
    seconds.add_argument("--ckpt", default="lite", help="that predicts them")
    arguments = parser.parse_args()
    if arguments.kind == "profiles":
        import widths_profiles

        text = widths_profiles.table(widths_profiles.read(arguments.folder), arguments.full)
    elif arguments.kind == "time":
        import widths_time

        text = widths_time.table(arguments.photographs, arguments.ckpt)
    else:
        import widths_drawn

        if arguments.kind == "drawn":
            cases = widths_drawn.drawn(arguments.seeds)
        else:
            predictor = None if arguments.ckpt is None else widths_drawn.Predictor.load(arguments.ckpt)
            cases = widths_drawn.degraded(arguments.seeds, predictor)
        text = widths_drawn.table(cases)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
