"""How exact widths are: python scripts/benchmark_widths.py profiles|drawn|degraded [options].

``profiles`` reads measured profiles (a folder of folders of CSV files, handed in); ``drawn`` and ``degraded`` draw
their cracks.  Prints a table in Markdown.
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
        kinds.add_parser(kind, help=meaning).add_argument("--seeds", type=int, default=4, help="scenes of each kind")
    arguments = parser.parse_args()
    if arguments.kind == "profiles":
        import widths_profiles

        text = widths_profiles.table(widths_profiles.read(arguments.folder), arguments.full)
    else:
        import widths_drawn

        text = widths_drawn.table(getattr(widths_drawn, arguments.kind)(arguments.seeds))
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
