"""Write the next migration: what separates the migrated database from the tables in code."""

import sys
import tempfile
from pathlib import Path

from authsvc.platform.db.migrate import revise, upgrade


def main(arguments: list[str]) -> int:
    """Write it into ``migrations/versions``; the exit code."""
    message = " ".join(arguments).strip()
    if not message:
        print('Say what changes: make migration NAME="add devices"')
        return 2
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{Path(directory) / 'empty.db'}"
        upgrade(url)
        revise(url, message=message)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
