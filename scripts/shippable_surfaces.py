"""Lists the photographs of a folder of surfaces whose licence is documented, for `data.surfaces_list`.

    python scripts/shippable_surfaces.py <folder> > surfaces.txt

Reads <folder>/SOURCES.csv (columns file, licence, licence_text_location) and leaves out every photograph whose licence
was only read from a name: weights trained on the others may be given away if their authors are named.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

GUESSED = "origin read from"


def main(folder: str) -> int:
    with (Path(folder) / "SOURCES.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [row["file"] for row in rows if not row["licence_text_location"].startswith(GUESSED)]
    sys.stdout.write(f"# {len(kept)} of {len(rows)} photographs, licences documented in SOURCES.csv\n")
    sys.stdout.write("\n".join(kept) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
