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
    arguments = parser.parse_args()
    if arguments.kind == "profiles":
        import widths_profiles

        text = widths_profiles.table(widths_profiles.read(arguments.folder), arguments.full)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
