"""``authsvc version``."""

import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version


def run(arguments: Sequence[str]) -> int:
    """Print the version of authsvc and of the Python that runs it."""
    if arguments:
        print(f"authsvc version: takes no argument, not {arguments[0]}", file=sys.stderr)
        return 2
    print(f"authsvc {version('authsvc')} (Python {platform.python_version()})")
    return 0
